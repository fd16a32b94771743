import type { Consistency, Freshness } from '../snapshot-types.ts';

export interface SqlRequest {
  sql: string;
  /** Of every stream in the query, at one instant. */
  consistency?: Consistency;
  /** Rows of the answer at most, 1 to 1,000,000; default 10,000. More is TW_SQL_TOO_LARGE. */
  limit?: number;
  /** 1 to 600,000; default 30,000. */
  deadlineMs?: number;
}

export interface SqlColumn {
  name: string;
  /** DuckDB's name of it, such as BIGINT, DECIMAL(18,2), JSON or VARCHAR[]. */
  type: string;
}

/** An answer with each row as the text of a JSON array, cells in the order of the columns: numbers keep their digits. */
export interface SqlAnswer {
  columns: SqlColumn[];
  rows: string[];
  /** Of each stream in the query, by its name. */
  freshness: Record<string, Freshness>;
  /** Names the instant of all of them. */
  token: string;
}

export interface SqlSettings {
  /** Of one query. Default 512 MiB. Texts that an expression builds are not all counted. */
  memoryBytes: number;
  /** Of one query. Default 1. */
  threads: number;
  /** Queries that run at once; default 2. Up to 64 wait. */
  concurrency: number;
  /** Of the rows of an answer, as JSON. Default 64 MiB. */
  maxAnswerBytes: number;
  /** Of files with columns of tables that DuckDB cannot read in place, kept for the next query. Default 1 GiB. */
  copyBytes: number;
}

export const SQL_DEFAULTS: SqlSettings = {
  memoryBytes: 512 * 1024 * 1024,
  threads: 1,
  concurrency: 2,
  maxAnswerBytes: 64 * 1024 * 1024,
  copyBytes: 1024 ** 3,
};
