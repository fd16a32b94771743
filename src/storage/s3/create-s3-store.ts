import { TailwaterError } from '../../base/index.ts';
import { type Encryption, S3ObjectStore } from './s3-object-store.ts';
import { sdk } from './sdk.ts';

export interface S3Settings {
  /** For S3-compatible stores; AWS's own address of the region by default. Credentials in it are refused. */
  endpoint?: string;
  region: string;
  bucket: string;
  /** A key below which everything lies; none by default. */
  prefix?: string;
  /** The SDK's default chain (environment, profile, instance role) when absent. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Bucket in the path instead of the host name, as most compatible stores need. Default: true with an endpoint, else false. */
  forcePathStyle?: boolean;
  /** How the server encrypts what is written; the bucket's own default when absent. */
  encryption?: Encryption;
  /** How long a request may take until its reply begins, and how long a connection may be silent; default 30,000. */
  timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_CONNECT_MS = 5_000;
const MAX_CONNECTIONS = 64;

/** Throws TW_SETTING. Compose the store with `withRetries`, and probe it before use. */
export function createS3Store(settings: S3Settings): S3ObjectStore {
  const timeoutMs = settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  if (!(timeoutMs > 0)) throw badSetting('timeoutMs', 'must be above 0');
  for (const name of ['region', 'bucket'] as const) if (settings[name] === '') throw badSetting(name, 'must not be empty');
  const agent = { keepAlive: true, maxSockets: MAX_CONNECTIONS };
  const client = new (sdk().S3Client)({
    region: settings.region,
    ...(settings.endpoint === undefined ? {} : { endpoint: checkEndpoint(settings.endpoint) }),
    ...(settings.credentials === undefined ? {} : { credentials: settings.credentials }),
    forcePathStyle: settings.forcePathStyle ?? settings.endpoint !== undefined,
    maxAttempts: 1,
    // We name the checksum ourselves; the SDK must not add another.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: Math.min(timeoutMs, MAX_CONNECT_MS),
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: timeoutMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
  return new S3ObjectStore(client, settings.bucket, settings.prefix, settings.encryption);
}

function checkEndpoint(endpoint: string): string {
  const url = URL.parse(endpoint);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw badSetting('endpoint', 'must be an http(s) address');
  if (url.username !== '' || url.password !== '') throw badSetting('endpoint', 'must not contain credentials');
  return endpoint;
}

function badSetting(name: string, problem: string): TailwaterError {
  return new TailwaterError('TW_SETTING', { detail: `The object store's ${name} ${problem}.`, data: { setting: name } });
}
