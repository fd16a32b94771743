import { isUtf8 } from 'node:buffer';
import { type JsonObject, type JsonValue, TailwaterError, utf8 } from '../base/index.ts';
import { hitId, type SearchHit } from '../retrieval/index.ts';
import type { ReadFrom } from '../snapshot/index.ts';
import type { StreamKind, StreamRecord } from '../streams/index.ts';
import type { ApiKey, ApiRecord, QueryHit } from './api.ts';

/** Text when the bytes are valid UTF-8, else base64. */
export function toApiKey(key: Uint8Array | null): ApiKey {
  if (key === null) return null;
  return isUtf8(key) ? textOf(key) : { base64: Buffer.from(key).toString('base64') };
}

export function keyBytes(key: string | Uint8Array): Uint8Array {
  return typeof key === 'string' ? utf8(key) : key;
}

export function toApiRecord(record: StreamRecord): ApiRecord {
  return {
    partition: record.partition,
    offset: record.offset,
    key: toApiKey(record.key),
    time: isoTime(record.timeMs),
    ingestedAt: isoTime(record.ingestedAtMs),
    headers: toApiHeaders(record),
    value: record.value === null ? null : parseValue(record.value),
  };
}

export function toQueryHit(hit: SearchHit, kind: StreamKind): QueryHit {
  const { record } = hit;
  return {
    id: hitId(record, kind),
    key: toApiKey(record.key),
    partition: record.partition,
    offset: record.offset,
    score: hit.score,
    tier: hit.tier,
    ageMs: hit.ageMs,
    value: hit.selected ?? (parseValue(record.value!) as JsonObject),
    ranks: hit.ranks,
    ...(hit.source === undefined ? {} : { source: hit.source }),
  };
}

/** Header values that are null in the log read as empty text. */
export function toApiHeaders(record: StreamRecord): Record<string, string> {
  return Object.fromEntries(record.headers.map(({ name, value }) => [name, value === null ? '' : textOf(value)]));
}

/** Exactly the text of the bytes: unlike a TextDecoder, a leading byte order mark stays. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

const MAX_DATE_MS = 8.64e15;

/** ISO 8601 in UTC, milliseconds. Times outside what a date can say are clamped to its ends. */
export function isoTime(timeMs: number): string {
  return new Date(Math.max(-MAX_DATE_MS, Math.min(MAX_DATE_MS, timeMs))).toISOString();
}

/** Where a read starts, from its text: earliest, latest, an offset, time:<ISO 8601>, event:<ISO 8601>. TW_BAD_REQUEST otherwise. */
export function parseReadFrom(from: string | number): ReadFrom {
  if (from === 'earliest' || from === 'latest') return { kind: from };
  const offset = typeof from === 'number' ? from : /^\d{1,16}$/.test(from) ? Number(from) : Number.NaN;
  if (Number.isSafeInteger(offset) && offset >= 0) return { kind: 'offset', offset };
  const time = /^(time|event):(\d{4}-\d\d-\d\d(?:T.+)?)$/.exec(String(from));
  const timeMs = time === null ? Number.NaN : Date.parse(time[2]);
  if (Number.isNaN(timeMs)) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `"from" is ${JSON.stringify(from)}; it must be earliest, latest, an offset, time:<ISO 8601> or event:<ISO 8601>.`,
      data: { field: 'from' },
    });
  }
  return { kind: time![1] === 'time' ? 'commit-time' : 'event-time', timeMs };
}

function parseValue(value: Uint8Array): JsonValue {
  return JSON.parse(textOf(value));
}
