import type { JsonObject } from '../base/index.ts';
import type { RecordHeader, TableFormat } from '../streams/index.ts';

/** A user column. `path` is the dotted path in the value; `name` is unique ignoring case and never starts with an underscore unprefixed. */
export interface TableColumn {
  name: string;
  path: string;
  type: 'bool' | 'int64' | 'float64' | 'string' | 'json';
  /** The path is one own name that contains dots, not a way into nested objects. */
  literal?: true;
  /** An int64 column that holds integers beyond 2^53: it no longer widens to float64, which could not hold them. */
  wide?: true;
}

export interface TableSchema {
  /** Rises by one with every change; recorded in the table state. */
  id: number;
  columns: TableColumn[];
  /** Vector length of `_embedding`, or null. */
  dimensions: number | null;
  /** Whether the table has the derived `_text` column (search fields joined with a newline). */
  text: boolean;
}

/** A row of a table: the record it was, whole (StreamRecord plus what is derived). */
export interface TableRow {
  partition: number;
  offset: number;
  seq: number;
  key: Uint8Array | null;
  timeMs: number;
  ingestedAtMs: number;
  headers: RecordHeader[];
  /** Byte-equal to what was written; null only in `changes` (a tombstone). */
  value: Uint8Array | null;
}

/** A search candidate of the table, with what ranking needs. */
export interface TableCandidate {
  /** Of the row within its table version, for `rowsOf`. */
  id: bigint;
  seq: number;
  key: Uint8Array | null;
  timeMs: number;
  /** The `_text` of the row, for text candidates. */
  text?: string;
  /** Cosine distance as an exact computation over `_embedding`, for vector candidates. */
  distance?: number;
  /** The `_embedding` of the row, for vector candidates. */
  vector?: Float32Array;
  /** The whole row, when it was asked for. */
  row?: TableRow;
}

/** A row with what it is searched by; null when it has no text or no vector. */
export interface IndexableRow {
  row: TableRow;
  text: string | null;
  vector: Float32Array | null;
}

export type TableStateKind = 'create' | 'compaction' | 'index' | 'optimize' | 'vectors' | 'retention' | 'replace';

/** An entry of a stream's table-state journal (C1). JSON; small and whole. */
export interface TableState {
  formatVersion: 1;
  /** The number of this entry in the journal. */
  n: number;
  kind: TableStateKind;
  /** Identifies the attempt, so that an unknown outcome is settled by reading the entry back (C4). */
  attemptId: string;
  format: TableFormat;
  incarnation: string;
  /** Names the datasets: `tables/{incarnation}` of Lance, `iceberg/{incarnation}` of Iceberg. */
  location: string;
  /** Of Iceberg tables, the number of the metadata file. */
  rowsVersion: number;
  /** Null for append streams. */
  changesVersion: number | null;
  schema: TableSchema;
  /** Per partition, the highest offset that the table holds; -1: none. */
  watermark: number[];
  /** Every record of a segment <= logSeq is in the table. */
  logSeq: number;
  /** Commit time of segment logSeq. */
  logTimeMs: number;
  rowCount: number;
  changeCount: number;
  /** Additive hashes (16 hex digits) over (partition, offset). */
  rowsHash: string;
  changesHash: string;
  expiredHash: string;
  /**
   * What has expired so far: records, how many of these were rows, and per partition the highest offset among them, -1: none. Absent:
   * nothing has.
   */
  expired?: { count: number; rows: number; through: number[] };
  /** Commit time of the newest record that was compacted; absent in tables that were last compacted before it was noted. */
  newestIngestedAtMs?: number;
  /** Bytes of the keys and values of rows and changes; absent in tables that were begun before it was counted. */
  bytes?: number;
  /** Statistics objects, oldest first: a base and deltas. Keys in the object store. */
  statistics: string[];
  /** Rows whose `_embedding` is still null although they have a text to embed. */
  nullVectors: number;
  /** How many rows carry `_raw`, because the columns do not reproduce the value's bytes. */
  rawCount: number;
  /** Rows at the last index build: decides when the next one pays. */
  indexedRows: { text: number; vector: number };
  embedding: { provider: string; model: string; dimensions: number } | null;
  committedAtMs: number;
  /** What the operation did, for people: inserted, superseded, deleted rows, milliseconds. */
  summary: JsonObject;
}
