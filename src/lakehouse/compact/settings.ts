import type { Clock, Logger, Random } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { LogReader, StreamDefinition } from '../../streams/index.ts';
import { LANCE_DEFAULTS } from '../lance/session.ts';
import type { TableStates } from '../states/table-states.ts';
import type { TableStatistics } from '../statistics/statistics.ts';
import type { TableStore } from '../table-store.ts';
import { TableMemory } from './table-memory.ts';

export interface CompactionSettings {
  /** Records of one table commit, rounded up to whole segments; default 100,000. */
  maxStepRows: number;
  /** Bytes of records and vectors of one table commit, rounded up to whole segments; default 64 MiB. */
  maxStepBytes: number;
  /** Attempts at one table commit without progress by anyone, before TW_COMPACTION_FAILED; default 6. */
  maxAttempts: number;
  /** Wait before the second attempt; doubles with jitter. Default 50 ms. */
  baseDelayMs: number;
  /** How long to wait for vectors of rows that enter the table; those that are missing then are filled later (C7). Default 10 s. */
  vectorsDeadlineMs: number;
  /**
   * Up to this many rows a compaction verifies the hash of the whole table, above it that of the rows it adds, and the counts of all:
   * else its cost would grow with the table. Maintenance always verifies the whole. Default 100,000.
   */
  fullyHashedRows: number;
  /** Longest time of uninterrupted computing, so that others on the thread get their turn; default 20 ms. */
  sliceMs: number;
  /** The full-text index is refreshed when more rows than this and more than `unindexedTextShare` of the table lack it; default 2,000. */
  unindexedTextRows: number;
  /** Default 0.005: at most about as many rows as a search can read in the time that it takes anyway. */
  unindexedTextShare: number;
  /** As `unindexedTextRows`, for the vector index; default 10,000. */
  unindexedVectorRows: number;
  /** Default 0.05. */
  unindexedVectorShare: number;
  /** Below this many rows a flat vector scan is fast enough; default: where the table store builds the index at all. */
  vectorIndexMinRows: number;
  /** Small fragments are merged after this many compactions; default 16. */
  compactionsPerOptimize: number;
  /** Whether maintenance takes out what has expired; default true. */
  expire: boolean;
  /** Expired rows, and as many superseded versions, taken out by one table commit, which holds them in memory; default 50,000. */
  maxExpiredRecords: number;
  /** Null vectors filled by one table commit; default 10,000. */
  maxFilledVectors: number;
}

export const COMPACTION_DEFAULTS: CompactionSettings = {
  maxStepRows: 100_000,
  maxStepBytes: 64 * 1024 * 1024,
  maxAttempts: 6,
  baseDelayMs: 50,
  vectorsDeadlineMs: 10_000,
  fullyHashedRows: 100_000,
  sliceMs: 20,
  unindexedTextRows: 2_000,
  unindexedTextShare: 0.005,
  unindexedVectorRows: 10_000,
  unindexedVectorShare: 0.05,
  vectorIndexMinRows: LANCE_DEFAULTS.minVectorIndexRows,
  compactionsPerOptimize: 16,
  expire: true,
  maxExpiredRecords: 50_000,
  maxFilledVectors: 10_000,
};

/** A row that needs a vector. */
export interface VectorRequest {
  seq: number;
  text: string;
}

/** `vectors` has one vector per request, in order; those without `hasVector` are ignored. */
export interface VectorAnswer {
  vectors: Float32Array;
  hasVector: Uint8Array;
}

/** What compaction works with. Keep one for all calls: state and statistics of the tables are remembered with it. */
export interface CompactionContext {
  store: ObjectStore;
  tables: TableStore;
  log: Pick<LogReader, 'range' | 'floor'>;
  clock: Clock;
  random: Random;
  logger?: Logger;
  /** The vectors that exist or can be had at once; a failing provider leaves them out. */
  vectorsFor(definition: StreamDefinition, rows: VectorRequest[]): Promise<VectorAnswer>;
  /** As `vectorsFor`, and what is missing is computed: for upkeep, where nothing waits for it. Absent: `vectorsFor`. */
  computedVectorsFor?(definition: StreamDefinition, rows: VectorRequest[]): Promise<VectorAnswer>;
  settings?: Partial<CompactionSettings>;
}

/** Calls with the same context object share what they remember. */
const memories = new WeakMap<CompactionContext, TableMemory>();

/** A context with its defaults filled in, for one stream. */
export interface TableWork extends CompactionContext {
  definition: StreamDefinition;
  limits: CompactionSettings;
  states: TableStates;
  statistics(objectKeys: readonly string[]): Promise<TableStatistics>;
  /** The statistics of a state that was just committed. */
  remember(statistics: TableStatistics): void;
}

export function workOn(context: CompactionContext, definition: StreamDefinition): TableWork {
  const { incarnation } = definition;
  const memory = memories.get(context) ?? new TableMemory(context.store);
  memories.set(context, memory);
  return {
    ...context,
    definition,
    limits: { ...COMPACTION_DEFAULTS, ...context.settings, ...definition.maintenance },
    states: memory.states(incarnation),
    statistics: keys => memory.statistics(incarnation, keys),
    remember: statistics => memory.remember(incarnation, statistics),
  };
}
