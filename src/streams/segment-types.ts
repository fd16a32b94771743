import type { JsonValue } from '../base/index.ts';
import type { StreamDefinition } from './definition.ts';
import type { RecordBatch, RecordSlab } from './records.ts';

/** A segment holds at most this many records, so that `_seq` = segment * 65536 + index is dense enough and exact. */
export const MAX_SEGMENT_RECORDS = 65_536;

export function recordSeq(segment: number, index: number): number {
  return segment * MAX_SEGMENT_RECORDS + index;
}

/** One batch of a segment. `firstIndex` is the index of its first record among all records of the segment. */
export interface SegmentBatch {
  incarnation: string;
  partition: number;
  firstIndex: number;
  batch: RecordBatch;
  /** Only on the writer's own segments. Index-aligned with the batch. */
  parsed?: (JsonValue | null)[];
}

/** What a segment changes about streams. */
export type ControlRecord =
  | { kind: 'create'; definition: StreamDefinition }
  | { kind: 'delete'; incarnation: string }
  | { kind: 'partitions'; incarnation: string; partitions: number };

/** A committed segment, as the tail, followers and compaction see it. */
export interface Segment {
  shard: number;
  seq: number;
  writerId: string;
  writerSequence: number;
  commitTimeMs: number;
  controls: ControlRecord[];
  batches: SegmentBatch[];
  byteLength: number;
}

/** One stream partition's share of an append. */
export interface AppendPart {
  incarnation: string;
  partition: number;
  records: RecordSlab;
}

export interface AppendRequest {
  /** Committed together, in one segment. Together at most MAX_SEGMENT_RECORDS records and maxSegmentBytes. */
  parts: AppendPart[];
  /** A retry with the same key returns the first receipt; another fingerprint is TW_IDEMPOTENCY_MISMATCH. `answer` is kept with it (bounded 64 KiB). */
  idempotency?: { key: string; fingerprint: string; answer: JsonValue };
  /**
   * Refused with TW_VERSION_MISMATCH when an append with a guard of this name may have been admitted in a segment above `afterSeq`: of
   * those who decided on the same state, one wins.
   */
  guard?: { name: string; afterSeq: number };
  /** Kafka's idempotent producer, checked per (producer, stream partition): parts must then be one. */
  producer?: { id: number; epoch: number; sequence: number };
}

export interface AppendReceipt {
  /** The segment that holds the records. */
  seq: number;
  commitTimeMs: number;
  /** In the order of the request's parts. `last` is inclusive. */
  parts: { incarnation: string; partition: number; first: number; last: number }[];
  /** True when this is the answer to an earlier append with the same idempotency key or producer sequence. */
  duplicate: boolean;
  /** The answer kept with the idempotency key. */
  answer: JsonValue;
}
