import type { StreamRecord } from '../streams/index.ts';

/**
 * How fresh an answer has to be (design, R2). At most one member is given; the default on one machine is `strong`.
 */
export interface Consistency {
  /** The answer includes everything these tokens name, one to 100: read-your-writes. TW_NOT_YET_VISIBLE when the deadline passes first. */
  atLeast?: string | string[];
  /** The answer includes everything acknowledged, by any node, before the request arrived. */
  strong?: true;
  /** The answer may miss what was acknowledged within this time. */
  maxStalenessMs?: number;
  /**
   * The state at a token, at an ISO 8601 time (commit time), or at a tag: `{tag: name}` or `"tag:name"`. TW_HISTORY_EXPIRED when it is no
   * longer kept, TW_TAG_NOT_FOUND.
   */
  asOf?: string | { tag: string };
}

/** How fresh and how complete an answer is (design, R5). */
export interface Freshness {
  /** Per partition, the highest offset that came from the table; -1: none. */
  watermark: number[];
  /** Per partition, the highest offset the answer considered; -1: none. */
  head: number[];
  /** Rows of the tail the answer considered. */
  tailRows: number;
  /** Time since the newest record considered was acknowledged; null when there is none. */
  newestAgeMs: number | null;
  /** The commit time up to which everything was considered, ISO 8601. */
  asOf: string;
  /** Legs that could not consider everything, and why. */
  skipped: { leg: string; reason: string }[];
  /** Whether every leg considered every acknowledged record up to the pinned position, and every embedding it needed existed. */
  complete: boolean;
}

/** Where a stream read starts. Times are milliseconds since the epoch. */
export type ReadFrom =
  | { kind: 'earliest' }
  | { kind: 'latest' }
  | { kind: 'offset'; offset: number }
  | { kind: 'commit-time'; timeMs: number }
  | { kind: 'event-time'; timeMs: number };

export interface StreamPage {
  records: StreamRecord[];
  /** The offset to read from next. */
  next: number;
  freshness: Freshness;
  token: string;
}

/** A live record and the token that resumes after it. */
export interface LiveRecord {
  record: StreamRecord;
  token: string;
}
