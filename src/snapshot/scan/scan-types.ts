import type { JsonObject } from '../../base/index.ts';
import type { ArrowData, ArrowField, TableSchema } from '../../lakehouse/index.ts';
import type { Filter } from '../../streams/index.ts';
import type { Consistency } from '../snapshot-types.ts';

/** What a caller may ask of a scan. */
export interface ScanRequest {
  /** Names of columns. Default: position, key and times, every user column, and `_extra`. Also `_text` and `_embedding`. */
  columns?: readonly string[];
  /** The filter language of queries; rows that match by their JSON value. */
  filter?: JsonObject;
  consistency?: Consistency;
  /** False: only what the table holds, as of its last compaction. Default true. */
  tail?: boolean;
  /** One of `count` disjoint parts of the rows: which one a row is in depends on its partition and offset alone. */
  shard?: { index: number; count: number };
  /** Only rows whose `_seq` is above this one: resumes a scan of the same token. */
  afterSeq?: number;
}

/** A condition that SQL puts on a column: rows for which it is not true may be left out. */
export interface ColumnCondition {
  column: string;
  operator: '=' | '<>' | '<' | '<=' | '>' | '>=';
  /** A moment is compared with `_time` and `_ingested_at` alone. */
  value: string | number | boolean | { micros: number };
}

export interface ScanPlan {
  /** The columns the stream has at the pinned instant. */
  schema: TableSchema;
  columns: string[];
  fields: ArrowField[];
  filter: Filter | null;
  conditions: readonly ColumnCondition[];
  tail: boolean;
  shard: { index: number; count: number } | null;
  afterSeq: number;
  /** Rows in rising `_seq`, in batches that depend on the rows alone. */
  ordered: boolean;
  /** Rows wanted at most. */
  limit: number;
}

export interface ScanBatch {
  rows: number;
  columns: ArrowData[];
  /** `_seq` of its last row; -1 in a scan without an order. */
  lastSeq: number;
}
