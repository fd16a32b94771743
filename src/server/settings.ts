import { type Clock, type Logger, type Random, silentLogger, systemClock, systemRandom } from '../base/index.ts';
import type { Tokenizer } from '../context/index.ts';
import { COMPACTION_TRIGGER_DEFAULTS, type CompactionTrigger } from '../lakehouse/index.ts';
import { RESIDENT_DEFAULTS, SQL_DEFAULTS, type SqlSettings } from '../snapshot/index.ts';
import { COLLECTION_DEFAULTS, type CollectionSettings } from './collect/settings.ts';

/** What the composition of a node can be told. Every default is here. */
export interface EngineOptions {
  /** The data folder; created when absent. One process at a time. */
  dataDir: string;
  /** For streams with `embed.provider: "openai"`. `apiKey` defaults to the environment variable OPENAI_API_KEY. */
  openai?: { apiKey?: string; baseURL?: string };
  /** How long a commit waits for more appends; default 0: appends gather while the previous commit is in flight. */
  lingerMs?: number;
  /** The bound of all tails together; writes get TW_TAIL_FULL there. Defaults: 4,000,000 rows, 2 GiB. */
  maxTailRows?: number;
  maxTailBytes?: number;
  /** Rows of small tables that are kept in memory, indexed. Defaults: 256 MiB together (0: none), tables up to 50,000 rows. */
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
  /** What the budgets of contexts are counted by; default that of GPT-4o and later models (o200k_base). */
  tokenizer?: Tokenizer;
  logger?: Logger;
  clock?: Clock;
  random?: Random;
}

export interface EngineSettings {
  dataDir: string;
  secrets: { openai: { apiKey?: string; baseURL?: string } };
  lingerMs: number;
  maxTailRows: number;
  maxTailBytes: number;
  maxResidentBytes: number;
  maxResidentRows: number;
  compaction: CompactionTrigger & { auto: boolean };
  compactionHost: 'process' | 'inline';
  compactionThreads: number;
  collection: CollectionSchedule;
  sql: SqlSettings;
  tokenizer: Tokenizer | null;
  logger: Logger;
  clock: Clock;
  random: Random;
}

export interface CollectionSchedule extends CollectionSettings {
  auto: boolean;
  intervalMs: number;
  maxFloorLagMs: number;
  maxFloorLagBytes: number;
}

const COLLECTION_SCHEDULE: CollectionSchedule = {
  ...COLLECTION_DEFAULTS,
  auto: true,
  intervalMs: 60_000,
  maxFloorLagMs: 15 * 60_000,
  maxFloorLagBytes: 1024 ** 3,
};

export function settingsOf(options: EngineOptions): EngineSettings {
  const apiKey = options.openai?.apiKey ?? process.env.OPENAI_API_KEY;
  return {
    dataDir: options.dataDir,
    secrets: { openai: { ...options.openai, ...(apiKey === undefined ? {} : { apiKey }) } },
    lingerMs: options.lingerMs ?? 0,
    maxTailRows: options.maxTailRows ?? 4_000_000,
    maxTailBytes: options.maxTailBytes ?? 2 * 1024 ** 3,
    maxResidentBytes: options.maxResidentBytes ?? RESIDENT_DEFAULTS.maxResidentBytes,
    maxResidentRows: options.maxResidentRows ?? RESIDENT_DEFAULTS.maxResidentRows,
    compaction: { auto: true, ...COMPACTION_TRIGGER_DEFAULTS, ...options.compaction },
    compactionHost: options.compactionHost ?? 'process',
    compactionThreads: options.compactionThreads ?? 1,
    collection: { ...COLLECTION_SCHEDULE, ...options.collection },
    sql: { ...SQL_DEFAULTS, ...options.sql },
    tokenizer: options.tokenizer ?? null,
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}
