import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { ChangedRow, TableRows } from '../table-store.ts';
import type { TableColumn, TableRow, TableSchema } from '../table-types.ts';

/**
 * A handle on one versioned dataset, with what LanceDB offers and no more. Nothing here is safe against others: appends are rebased
 * onto whatever is newest, `restore` re-attaches the handle to the newest version, `optimize` makes any number of versions. Staging
 * builds its guarantees on top, so that the same code runs on LanceDB and on the model.
 */
export interface Dataset {
  /** The version this handle shows. */
  version(): Promise<number>;
  checkoutLatest(): Promise<void>;
  /** Shows an old version, read only. Throws TW_HISTORY_EXPIRED when it is gone. */
  checkout(version: number): Promise<void>;
  /** Makes the version checked out the newest one again, as a new version, and follows it. */
  restore(): Promise<void>;
  /** Appends rows [start, end): one new version. */
  appendRows(schema: TableSchema, rows: TableRows, start: number, end: number): Promise<void>;
  appendChanges(schema: TableSchema, changes: readonly ChangedRow[], start: number, end: number): Promise<void>;
  /** Adds columns, null in every row: one new version. */
  addColumns(columns: readonly TableColumn[]): Promise<void>;
  /** The steps, to be run in order, by which an int64 column becomes float64: each makes one new version. */
  widening(column: TableColumn): (() => Promise<void>)[];
  /** Deletes the rows with these seqs: one new version, also when there are none. */
  deleteSeqs(seqs: readonly number[]): Promise<void>;
  byKeys(schema: TableSchema, keys: readonly Uint8Array[]): Promise<TableRow[]>;
  bySeqs(schema: TableSchema, seqs: readonly number[]): Promise<{ row: TableRow; text: string | null }[]>;
  /** Creates an index over what is there; refreshing is `optimize`'s. One new version. */
  createIndex(index: IndexKind): Promise<void>;
  indexes(): Promise<Set<IndexKind>>;
  /** Merges small fragments, folds new rows into the indexes, in however many new versions. Prunes nothing. */
  optimize(): Promise<void>;
  /** Of the user's columns, and perhaps of others that every dataset has. */
  columnNames(): Promise<string[]>;
  countRows(): Promise<number>;
  countRaw(): Promise<number>;
  /** Partition and offset of every row, in batches; with a watermark, only of rows above it. */
  positions(above: readonly number[] | null): AsyncIterable<PositionBatch>;
}

/** `key`: finds rows by key; `text`: full text; `vector`: nearest neighbours. */
export type IndexKind = 'key' | 'text' | 'vector';

export interface PositionBatch {
  count: number;
  partition(at: number): number;
  offset(at: number): number;
}

export interface Datasets {
  /** A fresh handle at the newest version. Throws TW_HISTORY_EXPIRED when there is no such dataset. */
  open(incarnation: string, kind: DatasetKind): Promise<Dataset>;
  /** A dataset without rows: the first version, or, when an earlier attempt left one, a new version on top of it. */
  createEmpty(incarnation: string, kind: DatasetKind, schema: TableSchema): Promise<Dataset>;
}
