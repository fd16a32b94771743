/**
 * The rows (not changes) of an immutable version as Parquet files, for another DuckDB that reads them in place. In the order of the files and
 * of their rows, `_seq` rises.
 */
export interface ParquetRows {
  /** Of every file; nothing else is read. */
  paths: readonly string[];
  /** `FROM read_parquet(…)`. */
  from: string;
  /** The name that a column of the `rows` dataset has there. */
  columnOf(name: string): string;
  /** Whether every row is null in the column, as far as is known without reading. */
  isNull(name: string): boolean;
  /** Rows that are no longer there, each as `file * 2^32 + position`, the file by its index in `paths`. */
  deletedPlaces: readonly number[];
  /** Brings the files to their paths; they stay there until what is returned is called. */
  hold(): Promise<() => void>;
  /** What is wrong, given what reading the files threw: the version is gone, or a file is not as it was written. */
  explain(error: unknown): Promise<unknown>;
}

export interface ParquetOptions {
  /** Files without a row whose event time, in microseconds since the epoch, lies between these may be left out. */
  timeMicros?: { low: number; high: number };
}

export const PLACE_FACTOR = 0x1_0000_0000;

/** The place of a row, as `deletedPlaces` gives it, in DuckDB's SQL. */
export const PLACE_SQL = `file_index::BIGINT * ${PLACE_FACTOR} + file_row_number::BIGINT`;
