import type { JsonObject } from '../../base/index.ts';

/** A part of a data folder that cannot be read. */
export interface Damage {
  /** What and where, such as `log segment 17` or an object's key. */
  part: string;
  code: string;
  detail: string;
}

export interface LogReport {
  /** The first segment kept. */
  floor: number;
  /** The last one; `floor - 1` when there is none. */
  head: number;
  segments: number;
  records: number;
  bytes: number;
  /** ISO 8601; null when the log is empty. */
  firstCommit: string | null;
  lastCommit: string | null;
  files: { name: string; bytes: number }[];
  /** Ends of files that a crash left incomplete; they were cut off, kept, and hold nothing acknowledged. */
  torn: { name: string; bytes: number }[];
}

export interface StreamReport {
  name: string;
  kind: string;
  incarnation: string;
  partitions: number;
  /** Records of this stream in the log. */
  logRecords: number;
  /** Null: nothing has been compacted. */
  table: TableReport | null;
}

export interface TableReport {
  state: number;
  kind: string;
  rows: number;
  changes: number;
  watermark: number[];
  logSeq: number;
  /** ISO 8601. */
  committedAt: string;
  schema: JsonObject;
}

export interface FolderReport {
  folder: string;
  formatVersion: number | null;
  /** The server that runs on the folder, if any. */
  server: { url: string; pid: number } | null;
  log: LogReport;
  objects: { count: number; bytes: number };
  streams: StreamReport[];
  damaged: Damage[];
}

/** At most this many damaged parts are named. */
export const MAX_DAMAGES = 100;
