import type { StreamDefinition } from '../streams/index.ts';
import type { ColumnBatch } from './columns/column-batch.ts';
import type { ParquetOptions, ParquetRows } from './datasets/parquet-rows.ts';
import type { IndexableRow, TableCandidate, TableRow, TableSchema } from './table-types.ts';

/**
 * The table port (C8): one store keeps the datasets of all streams. A *version pair* names an immutable content.
 * Nothing here commits anything: the table-state journal does (C1). Implementations: LanceDB, Iceberg, an in-memory model with
 * LanceDB's traps.
 */
export interface TableVersions {
  rows: number;
  changes: number | null;
}

/** Rows ready to be written, as parallel arrays; `vectors` has `count * dimensions` floats, `hasVector` marks rows that have one. */
export interface TableRows {
  rows: TableRow[];
  /** `_text` per row; null when nothing to search. Absent when the schema has no text. */
  texts?: (string | null)[];
  vectors?: Float32Array;
  hasVector?: Uint8Array;
}

/** A row that leaves `rows` for `changes`; a tombstone has value null. */
export interface ChangedRow {
  row: TableRow;
  /** Microseconds resolution is not needed: commit time (ms) of the record that superseded it. */
  supersededAtMs: number;
}

/** A record has expired when it is as old as one of these; null ones say nothing. Times are milliseconds since the epoch. */
export interface ExpiryBounds {
  /** Commit time; rows and changes. */
  ingestedMs: number | null;
  /** Event time; rows. */
  timeMs: number | null;
  /** When it was superseded; changes. */
  supersededMs: number | null;
  /** Per partition, offsets below this one; rows and changes. */
  offsetsBelow: readonly number[] | null;
}

export interface ExpiredRecords {
  rows: TableRow[];
  changes: TableRow[];
}

/** A commit of another engine that puts files in the place of others. */
export interface FilesReplacement {
  part: 'rows' | 'changes';
  /** The address of its manifest list, which says what files the table is to have. */
  manifestList: string;
  /** Its snapshot's id, and what it says about itself. */
  snapshot: { id: number | bigint; summary: Readonly<Record<string, string>> };
}

export interface StagedReplacement {
  staging: TableStaging;
  /** How many files left, and came. */
  removed: number;
  added: number;
  /** Deletes what the other engine wrote, of which the table has copies; to be called when the version is committed. */
  committed(): Promise<void>;
  /** Deletes the copies; to be called when the version is certainly not committed. */
  discard(): Promise<void>;
}

/** A file that another engine left in a table's folders. */
export interface OtherFile {
  /** From the root of all tables, with slashes. */
  name: string;
  bytes: number;
  /** Null: not known. */
  modifiedAtMs: number | null;
}

export interface TableStore {
  /** Stages changes on top of `base` (null: the table does not exist yet) without touching what readers see (C2). */
  begin(definition: StreamDefinition, base: TableVersions | null, schema: TableSchema): Promise<TableStaging>;
  /** An immutable version. Throws TW_HISTORY_EXPIRED when it is gone. Handles are cached and bounded by the implementation. */
  open(definition: StreamDefinition, versions: TableVersions, schema: TableSchema): Promise<TableVersion>;
  /** Removes versions not in `keep` (C5). */
  prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void>;
  /**
   * Stages what another engine made of the table's files, if it holds the same rows. Absent: no other engine writes this format's tables.
   * TW_COMMIT_CONFLICT when the rows differ, TW_BAD_REQUEST for what cannot be read.
   */
  replaceFiles?(
    definition: StreamDefinition,
    base: TableVersions,
    schema: TableSchema,
    replacement: FilesReplacement,
  ): Promise<StagedReplacement>;
  /** Files of other engines in the table's folders that no version of `keep` names. Absent as `replaceFiles` is. */
  otherFiles?(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<OtherFile[]>;
  /** Deletes some of them. */
  removeOthers?(definition: StreamDefinition, names: readonly string[]): Promise<void>;
  drop(incarnation: string): Promise<void>;
  /** Every stream life that has a dataset, named by a state or not. */
  incarnations(): Promise<string[]>;
  close(): Promise<void>;
}

/** A multi-step change on private versions. Every step checks that nobody else slipped in between (C2) and throws TW_COMPACTION_FAILED if so. */
export interface TableStaging {
  /** Adds columns that the new schema has and the base lacks (nulls in old rows). */
  evolve(schema: TableSchema): Promise<void>;
  /** Appends rows that have no earlier version in `rows` (append streams; new keys of upsert streams). */
  append(rows: TableRows): Promise<void>;
  /** Removes from `rows` the rows of these keys with `_seq` below the given one, and returns them (C6). */
  takeKeys(keys: readonly Uint8Array[], belowSeq: readonly number[]): Promise<TableRow[]>;
  /** Appends to `changes`. */
  appendChanges(changes: readonly ChangedRow[]): Promise<void>;
  /** Removes rows and changes, given by seq, for good (retention). Those that are not there are no error. */
  remove(rowSeqs: readonly number[], changeSeqs: readonly number[]): Promise<void>;
  /** Fills null vectors of rows given by seq. */
  setVectors(seqs: readonly number[], vectors: Float32Array): Promise<void>;
  /** Builds or refreshes indexes, merges small fragments. Changes no row (C5). */
  optimize(options: { textIndex: boolean; vectorIndex: boolean; compactFragments: boolean }): Promise<void>;
  /**
   * Opens the staged versions on a second handle and returns what they hold; `oldRows` counts rows at or below the given watermark.
   * The compactor compares this to its plan before it commits. With `hashed: 'new'` the hashes may leave out what is at or below the
   * watermark, so that the cost does not grow with the table; the counts are always of everything. Default 'all'.
   */
  verify(oldWatermark: readonly number[], options?: VerifyOptions): Promise<StagedFacts>;
}

export interface VerifyOptions {
  hashed: 'all' | 'new';
  /** That of the state which is to name the staged versions: formats that can, note it with them. */
  watermark?: readonly number[];
}

export interface StagedFacts {
  versions: TableVersions;
  /** What the hashes cover: every row, or those above the watermark only; then `oldRowsHash` is that of nothing. */
  hashed: 'all' | 'new';
  rowCount: number;
  rowsHash: string;
  oldRowCount: number;
  oldRowsHash: string;
  changeCount: number;
  changesHash: string;
  /** Rows of `rows` that carry `_raw`. */
  rawCount: number;
}

export interface ScanOptions {
  /** Lance SQL; null or absent: every row. */
  where?: string | null;
  /** Rows of a batch at most. */
  batchRows?: number;
}

export interface ColumnScanOptions {
  /** Names of columns of the `rows` dataset (docs/FORMATS.md), at least one, none twice. */
  columns: readonly string[];
  /** Lance SQL; null or absent: every row. Rows for which it is unknown are left out. */
  where?: string | null;
  /** Rows in rising `_seq`; may cost a sort where they do not lie that way. Default false: in any order. */
  ordered?: boolean;
}

/** Whether candidates come with their whole rows (default), which is dear, or with what ranking needs only. */
export type CandidateDetail = 'rows' | 'ranking';

/** Reads of one immutable version; safe to share between requests. */
export interface TableVersion {
  /** Rows of these keys, in any order, without those absent. */
  byKeys(keys: readonly Uint8Array[]): Promise<TableRow[]>;
  /** Best `limit` rows by full text for an analyzed query (terms of the analyzer), with `text`. `where` is Lance SQL, a superset of the filter. */
  searchText(query: string, limit: number, where: string | null, detail?: CandidateDetail): Promise<TableCandidate[]>;
  /** Nearest `limit` rows by cosine distance, ascending, with exact `distance`; rows without a vector never appear. */
  searchVector(vector: Float32Array, limit: number, where: string | null, detail?: CandidateDetail): Promise<TableCandidate[]>;
  /** The whole rows of these candidates of this version, in order. */
  rowsOf(candidates: readonly TableCandidate[]): Promise<TableRow[]>;
  /** Rows of a partition with first <= offset <= last, by offset, at most `limit`; for upsert streams `rows` and `changes` merged. */
  byOffsets(partition: number, first: number, last: number, limit: number): Promise<TableRow[]>;
  /** Rows and changes that have expired, in any order, at most `limit` of each; which, when there are more, is not said. */
  expired(bounds: ExpiryBounds, limit: number): Promise<ExpiredRecords>;
  /** All rows (not changes), unordered, in batches. */
  scan(options: ScanOptions): AsyncIterable<TableRow[]>;
  /** The same with what each row is searched by. */
  scanIndexable(options: ScanOptions): AsyncIterable<IndexableRow[]>;
  /**
   * Some columns of all rows (not changes), with the types that `arrowSchema` gives them, in batches of the implementation's choice: for
   * reads of much of a table, which must not make an object per row. Each batch is read when it is asked for, and may be overwritten by the next.
   */
  scanColumns(options: ColumnScanOptions): AsyncIterable<ColumnBatch>;
  countRows(where?: string | null): Promise<number>;
  /** Null when there are no such files, or rows lie otherwise in them. */
  parquet(options?: ParquetOptions): Promise<ParquetRows | null>;
  /** Does what the first search would have to do once, so that it need not. */
  warm(): Promise<void>;
}
