import { join } from 'node:path';
import { TailwaterError } from '../../base/index.ts';
import type { Encryption, S3Settings } from '../../storage/index.ts';
import { CLUSTER_DEFAULTS } from '../deployment/cluster.ts';
import { CACHE_DEFAULTS, parseS3Address, type S3Storage } from '../deployment/s3-deployment.ts';
import type { RateLimitSettings } from '../http/rate-limits.ts';
import type { Role } from '../roles.ts';
import type { EngineOptions } from '../settings.ts';
import type { TraceSettings } from '../tracing/export.ts';
import type { Config } from './read-config.ts';
import { SETTINGS } from './setting-list.ts';

export interface NodeConfig {
  engine: EngineOptions;
  host: string;
  port: number;
  logLevel: string;
  adminKey?: string;
  tls?: { certFile: string; keyFile: string };
  insecure: boolean;
  logRequests: boolean;
  rateLimits: Partial<RateLimitSettings>;
  traces?: TraceSettings;
}

/** What a configuration makes of a node. TW_SETTING for settings that do not go together. `env`: of the AWS SDK. */
export function nodeConfig(config: Config, env: Readonly<Record<string, string | undefined>>): NodeConfig {
  const read = new Reader(config);
  const dataDir = read.text('dataDir')!;
  const storage = read.text('storage');
  const engine: EngineOptions = {
    dataDir,
    roles: read.list('roles') as Role[],
    openai: present({ apiKey: read.given('openai.apiKey'), baseURL: read.given('openai.baseUrl') }),
    ...present({
      storage: storage === undefined ? undefined : s3Storage(read, storage, dataDir, env),
      lingerMs: read.given<number>('log.lingerMs'),
      maxLingerMs: read.given<number>('log.maxLingerMs'),
      maxSegmentBytes: read.given<number>('log.segmentBytes'),
      maxStalenessMs: read.given<number>('reads.maxStalenessMs'),
      maxTailRows: read.given<number>('tail.maxRows'),
      maxTailBytes: read.given<number>('tail.maxBytes'),
      tailStreamShare: read.given<number>('tail.streamShare'),
      maxResidentBytes: read.given<number>('resident.maxBytes'),
      maxResidentRows: read.given<number>('resident.maxRows'),
      compactionThreads: read.given<number>('compaction.threads'),
    }),
    compaction: read.group('compaction', ['rows', 'bytes', 'ageMs']),
    collection: read.group('collection', [
      'intervalMs',
      'idleMs',
      'graceMs',
      'logRetainMs',
      'logRetainBytes',
      'logHistoryMs',
      'otherEnginesGraceMs',
      'maxFloorLagMs',
      'maxFloorLagBytes',
    ]),
    live: read.group('live', ['minIntervalMs', 'refreshMs', 'maxTopics']),
    sql: read.group('sql', ['memoryBytes', 'threads', 'concurrency', 'maxAnswerBytes']),
    requestPrices: read.group('prices', ['put', 'get', 'head', 'list', 'delete']),
    cluster: clusterOf(read),
    answersRetentionMs: Number(read.value('features.answersRetentionMs')),
    ...present({ redis: redisOf(read, storage) }),
  };
  return {
    engine,
    host: read.text('host')!,
    port: Number(read.value('port')),
    logLevel: read.text('logLevel')!,
    insecure: read.given<boolean>('insecure') ?? false,
    logRequests: read.given<boolean>('logRequests') ?? false,
    rateLimits: rateLimitsOf(read),
    ...present({ adminKey: read.given<string>('adminKey'), tls: tlsOf(read), traces: tracesOf(read) }),
  };
}

function rateLimitsOf(read: Reader): NodeConfig['rateLimits'] {
  const given = read.group('rateLimits', ['requestsPerSecond', 'requestsBurst', 'bytesPerSecond', 'bytesBurst']);
  for (const what of ['requests', 'bytes'] as const) {
    if (given[`${what}Burst`] !== undefined && given[`${what}PerSecond`] === undefined)
      throw contradiction(`rateLimits.${what}Burst`, `rateLimits.${what}Burst needs rateLimits.${what}PerSecond`);
  }
  return given;
}

function tlsOf(read: Reader): NodeConfig['tls'] {
  const certFile = read.given<string>('tls.certFile');
  const keyFile = read.given<string>('tls.keyFile');
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined)
    throw contradiction('tls.certFile', 'tls.certFile and tls.keyFile go together; only one of them is given');
  return { certFile, keyFile };
}

function tracesOf(read: Reader): TraceSettings | undefined {
  const endpoint = read.given<string>('traces.endpoint');
  if (endpoint === undefined) return undefined;
  return { endpoint, sampleRatio: Number(read.value('traces.sampleRatio')), serviceName: read.text('traces.serviceName')! };
}

function redisOf(read: Reader, storage: string | undefined): EngineOptions['redis'] {
  const url = read.given<string>('redis.url');
  const prefix = read.given<string>('redis.prefix');
  if (url === undefined) {
    if (prefix !== undefined) throw contradiction('redis.prefix', 'redis.prefix needs redis.url');
    return undefined;
  }
  if (storage === undefined) throw contradiction('redis.url', 'redis.url is for several nodes: it needs storage');
  return { url, ...present({ prefix }) };
}

function clusterOf(read: Reader): NonNullable<EngineOptions['cluster']> {
  const { log, tables, catalogPollMs } = CLUSTER_DEFAULTS;
  const from = (name: string, fallback: number): number => read.given<number>(`cluster.${name}`) ?? fallback;
  const minLogMs = from('logPollMs', log.minPollMs);
  const minTableMs = from('tablePollMs', tables.minPollMs);
  return {
    log: { minPollMs: minLogMs, maxPollMs: Math.max(minLogMs, from('idleLogPollMs', log.maxPollMs)) },
    tables: { minPollMs: minTableMs, maxPollMs: Math.max(minTableMs, from('idleTablePollMs', tables.maxPollMs)) },
    catalogPollMs: from('catalogPollMs', catalogPollMs),
  };
}

function s3Storage(read: Reader, address: string, dataDir: string, env: Readonly<Record<string, string | undefined>>): S3Storage {
  const { bucket, prefix } = parseS3Address(address);
  const encryption = encryptionOf(read);
  const s3: S3Settings = {
    bucket,
    prefix,
    region: read.given<string>('s3.region') ?? env.AWS_REGION ?? 'us-east-1',
    timeoutMs: Number(read.value('s3.timeoutMs')),
    ...present({
      endpoint: read.given<string>('s3.endpoint'),
      credentials: credentialsOf(read),
      forcePathStyle: read.given<boolean>('s3.pathStyle'),
      encryption,
    }),
  };
  return {
    s3,
    cache: {
      folder: read.given<string>('cache.folder') ?? join(dataDir, 'cache'),
      maxDiskBytes: read.given<number>('cache.diskBytes') ?? CACHE_DEFAULTS.maxDiskBytes,
      maxMemoryBytes: read.given<number>('cache.memoryBytes') ?? CACHE_DEFAULTS.maxMemoryBytes,
    },
  };
}

function credentialsOf(read: Reader): S3Settings['credentials'] {
  const accessKeyId = read.given<string>('s3.accessKeyId');
  const secretAccessKey = read.given<string>('s3.secretAccessKey');
  const sessionToken = read.given<string>('s3.sessionToken');
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw contradiction('s3.accessKeyId', 's3.accessKeyId and s3.secretAccessKey go together; only one of them is given');
  return { accessKeyId, secretAccessKey, ...present({ sessionToken }) };
}

function encryptionOf(read: Reader): Encryption | undefined {
  const kind = read.text('s3.encryption');
  const keyId = read.given<string>('s3.kmsKeyId');
  if (keyId !== undefined && kind !== 'kms') throw contradiction('s3.kmsKeyId', 's3.kmsKeyId needs s3.encryption to be kms');
  if (kind === 's3') return { kind: 's3' };
  return kind === 'kms' ? { kind: 'kms', ...present({ keyId }) } : undefined;
}

class Reader {
  readonly #config: Config;

  constructor(config: Config) {
    this.#config = config;
  }

  /** Undefined when it was not given: then whoever it is for has the default. */
  given<T = string>(name: string): T | undefined {
    return this.#config.get(name) as T | undefined;
  }

  /** With the default of a node that is not on S3. */
  value(name: string): unknown {
    return this.#config.get(name) ?? SETTINGS.find(setting => setting.name === name)!.default ?? undefined;
  }

  text(name: string): string | undefined {
    return this.value(name) as string | undefined;
  }

  list(name: string): readonly string[] {
    const value = this.value(name);
    return typeof value === 'string' ? value.split(',') : (value as readonly string[]);
  }

  group<K extends string>(prefix: string, names: readonly K[]): Partial<Record<K, number>> {
    return present(Object.fromEntries(names.map(name => [name, this.given<number>(`${prefix}.${name}`)]))) as Partial<
      Record<K, number>
    >;
  }
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the members that are undefined. */
function present<T extends object>(object: T): Present<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;
}

function contradiction(setting: string, problem: string): TailwaterError {
  return new TailwaterError('TW_SETTING', { detail: `${problem}.`, data: { setting } });
}
