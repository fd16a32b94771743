import { type Clock, type Logger, type Random, silentLogger, systemClock, systemRandom } from '../base/index.ts';
import type { Tokenizer } from '../context/index.ts';
import { COMPACTION_TRIGGER_DEFAULTS, type CompactionTrigger } from '../lakehouse/index.ts';
import { LIVE_DEFAULTS, type LiveSettings } from '../live/index.ts';
import { RESIDENT_DEFAULTS, SQL_DEFAULTS, type SqlSettings } from '../snapshot/index.ts';
import { AWS_REQUEST_PRICES, type RequestPrices } from '../storage/index.ts';
import { COLLECTION_DEFAULTS, type CollectionSettings } from './collect/settings.ts';
import { CLUSTER_DEFAULTS, type ClusterSettings } from './deployment/cluster.ts';
import type { Hints } from './deployment/hints.ts';
import type { RedisSettings } from './deployment/redis/redis-link.ts';
import type { S3Storage } from './deployment/s3-deployment.ts';
import { ROLES, type Role } from './roles.ts';

/** What the composition of a node can be told. Every default is here. */
export interface EngineOptions {
  /** The data folder; created when absent. One process at a time. */
  dataDir: string;
  /**
   * Everything is kept there instead of the data folder, which then holds this node's cache only. Several nodes may share it; the defaults of
   * linger, segments, compaction, collection and consistency are then those of S3 (docs/SETTINGS.md).
   */
  storage?: S3Storage;
  /** What this node does; default all: ingest, retrieve, work. */
  roles?: readonly Role[];
  /** How a node follows what others do. */
  cluster?: Partial<ClusterSettings>;
  /** Carries "something is new" between nodes; default: by Redis where there is one, else they poll. */
  hints?: Hints;
  /** Only makes several nodes on `storage` quicker. `prefix` default: made of bucket and prefix of the deployment. */
  redis?: { url: string; prefix?: string };
  /** US dollars per 1,000 requests, for estimates in the metrics. Default: what AWS lists for S3 Standard. */
  requestPrices?: Partial<RequestPrices>;
  /** For streams with `embed.provider: "openai"`. `apiKey` defaults to the environment variable OPENAI_API_KEY. */
  openai?: { apiKey?: string; baseURL?: string };
  /** How long a commit waits for more appends; default 0: appends gather while the previous commit is in flight. */
  lingerMs?: number;
  /** How long a commit waits at most while appends come fast enough to fill it. Default `lingerMs`. */
  maxLingerMs?: number;
  /** Bytes of a segment of the log. Default 8 MiB. */
  maxSegmentBytes?: number;
  /** How old an answer may be that was asked for without a consistency; 0: strong, the default on a folder. */
  maxStalenessMs?: number;
  /** The bound of all tails together; writes get TW_TAIL_FULL there. Defaults: 4,000,000 rows, 2 GiB. */
  maxTailRows?: number;
  maxTailBytes?: number;
  /** The part of both that one stream may have, above 0 and at most 1 (no share of its own). Default 0.5. */
  tailStreamShare?: number;
  /** Rows of small tables that are kept in memory, indexed. Defaults: 512 MiB together (0: none), tables up to 200,000 rows. */
  maxResidentBytes?: number;
  maxResidentRows?: number;
  /** When a stream's tail is compacted without being asked. Defaults: 50,000 rows, 64 MiB, 60,000 ms. `auto: false` never does. */
  compaction?: Partial<CompactionTrigger> & { auto?: boolean };
  /** `process` (default): compaction runs in a child process of low priority; `inline`: in this one. */
  compactionHost?: 'process' | 'inline';
  /** Threads of the compaction process; default 1. */
  compactionThreads?: number;
  /**
   * What is deleted, and when. Runs every `intervalMs` (default 60,000), unless `auto: false`. A stream whose tail keeps segments of the log
   * for longer than `maxFloorLagMs` (default 15 min), or `maxFloorLagBytes` of them (default 1 GiB), is compacted without being due. The
   * others: see CollectionSettings.
   */
  collection?: Partial<CollectionSchedule>;
  /** What SQL queries may use: memory and threads of one, how many at once, bytes of an answer. See SqlSettings. */
  sql?: Partial<SqlSettings>;
  /** Of answers that are given again when they change. See LiveSettings. */
  live?: Partial<LiveSettings>;
  /** How long streams of kept online answers keep them, from when they are created on. Default 30 days. */
  answersRetentionMs?: number;
  /** What the budgets of contexts are counted by; default that of GPT-4o and later models (o200k_base). */
  tokenizer?: Tokenizer;
  logger?: Logger;
  clock?: Clock;
  random?: Random;
}

export interface EngineSettings {
  dataDir: string;
  secrets: { openai: { apiKey?: string; baseURL?: string } };
  storage: S3Storage | null;
  roles: readonly Role[];
  cluster: ClusterSettings;
  hints: Hints | null;
  redis: RedisSettings | null;
  requestPrices: RequestPrices;
  lingerMs: number;
  maxLingerMs: number;
  maxSegmentBytes: number;
  maxStalenessMs: number;
  maxTailRows: number;
  maxTailBytes: number;
  tailStreamShare: number;
  maxResidentBytes: number;
  maxResidentRows: number;
  compaction: CompactionTrigger & { auto: boolean };
  compactionHost: 'process' | 'inline';
  compactionThreads: number;
  collection: CollectionSchedule;
  answersRetentionMs: number;
  sql: SqlSettings;
  live: LiveSettings;
  tokenizer: Tokenizer | null;
  logger: Logger;
  clock: Clock;
  random: Random;
}

export interface CollectionSchedule extends CollectionSettings {
  auto: boolean;
  intervalMs: number;
  /** Where nothing is written, runs are put off up to this long. */
  idleMs: number;
  maxFloorLagMs: number;
  maxFloorLagBytes: number;
}

const COLLECTION_SCHEDULE: CollectionSchedule = {
  ...COLLECTION_DEFAULTS,
  auto: true,
  intervalMs: 60_000,
  idleMs: 0,
  maxFloorLagMs: 15 * 60_000,
  maxFloorLagBytes: 1024 ** 3,
};

/** What has another default where the engine is over something. */
export interface StorageDefaults {
  lingerMs: number;
  maxLingerMs: number;
  maxSegmentBytes: number;
  maxStalenessMs: number;
  compaction: CompactionTrigger;
  collection: CollectionSchedule;
}

export const FOLDER_DEFAULTS: StorageDefaults = {
  lingerMs: 0,
  maxLingerMs: 0,
  maxSegmentBytes: 8 * 1024 ** 2,
  maxStalenessMs: 0,
  compaction: COMPACTION_TRIGGER_DEFAULTS,
  collection: COLLECTION_SCHEDULE,
};

/** Requests cost by number there, not by bytes: commits, compactions and collections are fewer and larger. */
export const S3_DEFAULTS: StorageDefaults = {
  lingerMs: 200,
  maxLingerMs: 1000,
  maxSegmentBytes: 32 * 1024 ** 2,
  maxStalenessMs: 1000,
  compaction: { rows: 1_000_000, bytes: 256 * 1024 ** 2, ageMs: 300_000 },
  collection: { ...COLLECTION_SCHEDULE, graceMs: 600_000, intervalMs: 600_000, idleMs: 6 * 3_600_000 },
};

export const ENGINE_DEFAULTS = {
  maxTailRows: 4_000_000,
  maxTailBytes: 2 * 1024 ** 3,
  tailStreamShare: 0.5,
  compactionThreads: 1,
  answersRetentionMs: 30 * 86_400_000,
};

/** On a folder there is nobody to talk to. */
function redisOf({ redis, storage }: EngineOptions): RedisSettings | null {
  if (redis === undefined || storage === undefined) return null;
  const { bucket, prefix = '' } = storage.s3;
  return { url: redis.url, prefix: redis.prefix ?? `tailwater:${bucket}/${prefix}` };
}

/** A tail is compacted well before its stream's share is full, however small that is. */
function timely<T extends CompactionTrigger>(
  trigger: T,
  { maxTailRows, maxTailBytes, tailStreamShare }: Pick<EngineSettings, 'maxTailRows' | 'maxTailBytes' | 'tailStreamShare'>,
): T {
  const halfOf = (max: number): number => Math.max(1, Math.floor((max * tailStreamShare) / 2));
  const rows = Math.min(trigger.rows, halfOf(maxTailRows));
  return { ...trigger, rows, bytes: Math.min(trigger.bytes, halfOf(maxTailBytes)) };
}

export function settingsOf(options: EngineOptions): EngineSettings {
  const apiKey = options.openai?.apiKey ?? process.env.OPENAI_API_KEY;
  const defaults = options.storage === undefined ? FOLDER_DEFAULTS : S3_DEFAULTS;
  const lingerMs = options.lingerMs ?? defaults.lingerMs;
  const tails = {
    maxTailRows: options.maxTailRows ?? ENGINE_DEFAULTS.maxTailRows,
    maxTailBytes: options.maxTailBytes ?? ENGINE_DEFAULTS.maxTailBytes,
    tailStreamShare: options.tailStreamShare ?? ENGINE_DEFAULTS.tailStreamShare,
  };
  return {
    dataDir: options.dataDir,
    storage: options.storage ?? null,
    roles: options.roles ?? ROLES,
    cluster: { ...CLUSTER_DEFAULTS, ...options.cluster },
    hints: options.hints ?? null,
    redis: redisOf(options),
    requestPrices: { ...AWS_REQUEST_PRICES, ...options.requestPrices },
    secrets: { openai: { ...options.openai, ...(apiKey === undefined ? {} : { apiKey }) } },
    lingerMs,
    maxLingerMs: Math.max(lingerMs, options.maxLingerMs ?? (options.lingerMs === undefined ? defaults.maxLingerMs : 0)),
    maxSegmentBytes: options.maxSegmentBytes ?? defaults.maxSegmentBytes,
    maxStalenessMs: options.maxStalenessMs ?? defaults.maxStalenessMs,
    answersRetentionMs: options.answersRetentionMs ?? ENGINE_DEFAULTS.answersRetentionMs,
    ...tails,
    maxResidentBytes: options.maxResidentBytes ?? RESIDENT_DEFAULTS.maxResidentBytes,
    maxResidentRows: options.maxResidentRows ?? RESIDENT_DEFAULTS.maxResidentRows,
    compaction: timely({ auto: true, ...defaults.compaction, ...options.compaction }, tails),
    compactionHost: options.compactionHost ?? 'process',
    compactionThreads: options.compactionThreads ?? ENGINE_DEFAULTS.compactionThreads,
    collection: { ...defaults.collection, ...options.collection },
    sql: { ...SQL_DEFAULTS, ...options.sql },
    live: { ...LIVE_DEFAULTS, ...options.live },
    tokenizer: options.tokenizer ?? null,
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}
