import { TailwaterError } from '../../base/index.ts';
import type { PutCondition, PutOutcome } from '../object-store.ts';

/** What is kept of an SDK error. The error itself carries the request with its signature and session token, so it goes no further. */
export interface S3Failure {
  /** HTTP status of the reply; undefined when there was none. */
  status: number | undefined;
  /** S3's error code or the system's (`ECONNRESET`). */
  code: string;
  requestId: string | undefined;
  /** True when the request certainly never reached the server. */
  notSent: boolean;
}

const NOT_SENT_CALLS = new Set(['connect', 'getaddrinfo']);
const FULL_CODES = new Set(['XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage']);
const THROTTLED_CODES = new Set(['SlowDown', 'SlowDownWrite', 'SlowDownRead', 'TooManyRequests', 'Throttling']);

export function failureOf(error: unknown): S3Failure {
  const metadata = field(error, '$metadata');
  const status = field(metadata, 'httpStatusCode') ?? field(field(error, '$response'), 'statusCode');
  const name = field(error, 'name');
  const systemCode = field(error, 'code');
  return {
    status: typeof status === 'number' ? status : undefined,
    code: plainCode(typeof status !== 'number' && typeof systemCode === 'string' ? systemCode : name),
    requestId: plainId(field(metadata, 'requestId')),
    notSent: typeof status !== 'number' && neverSent(error),
  };
}

/** What a failed put means: an outcome, `conflict` for "try again", or a thrown error when the object was certainly not written (S2, S4). */
export function putOutcome(failure: S3Failure, what: string, condition: PutCondition | undefined): PutOutcome | 'conflict' {
  const { status, code } = failure;
  if (condition !== undefined) {
    if (status === 412) return { kind: 'ifAbsent' in condition ? 'exists' : 'mismatch' };
    if (status === 404 && 'ifMatch' in condition && code !== 'NoSuchBucket') return { kind: 'mismatch' };
    if (status === 501) {
      throw new TailwaterError('TW_STORE_UNSAFE', { detail: `${what}: the object store has no conditional writes (${code}).` });
    }
  }
  if (status === 409) return 'conflict';
  if (isCertain(failure)) throw unavailable(failure, what);
  return { kind: 'unknown', cause: new Error(describe(failure)) };
}

export function unavailable(failure: S3Failure, what: string): TailwaterError {
  const isFull = failure.status === 507 || FULL_CODES.has(failure.code);
  return new TailwaterError(isFull ? 'TW_STORAGE_FULL' : 'TW_STORAGE_UNAVAILABLE', {
    detail: `${what}: ${describe(failure)}`,
    data: { status: failure.status ?? null, storageCode: failure.code, requestId: failure.requestId ?? null },
  });
}

/** Refused for a stated reason, told to slow down, or never sent. A timeout, a broken connection and other 5xx replies leave it open. */
function isCertain({ status, code, notSent }: S3Failure): boolean {
  if (status === undefined) return notSent;
  if (status === 507 || FULL_CODES.has(code) || THROTTLED_CODES.has(code)) return true;
  return status >= 300 && status < 500 && status !== 408;
}

function describe({ status, code, requestId }: S3Failure): string {
  const reply = status === undefined ? 'no reply' : `status ${status}`;
  return `${reply} (${code}${requestId === undefined ? '' : `, request ${requestId}`})`;
}

function neverSent(error: unknown): boolean {
  if (field(error, 'name') === 'CredentialsProviderError') return true;
  const parts = field(error, 'errors');
  if (Array.isArray(parts)) return parts.length > 0 && parts.every(neverSent);
  const call = field(error, 'syscall');
  return typeof call === 'string' && NOT_SENT_CALLS.has(call);
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? (value as Record<string, unknown>)[name] : undefined;
}

/** A code is written by the server: only what looks like one is repeated. */
function plainCode(code: unknown): string {
  return typeof code === 'string' && /^[A-Za-z][A-Za-z0-9_.]{0,63}$/.test(code) ? code : 'unnamed error';
}

function plainId(id: unknown): string | undefined {
  return typeof id === 'string' && /^[A-Za-z0-9+/=_-]{1,128}$/.test(id) ? id : undefined;
}
