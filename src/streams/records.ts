import type { JsonValue } from '../base/index.ts';

/** A key-value pair of a record; a null value is allowed by Kafka's format. */
export interface RecordHeader {
  name: string;
  value: Uint8Array | null;
}

/** One record as a reader sees it. */
export interface StreamRecord {
  partition: number;
  offset: number;
  /** Order over all partitions of a shard: segment * 65536 + index in the segment. */
  seq: number;
  key: Uint8Array | null;
  /** Event time, milliseconds. */
  timeMs: number;
  /** Commit time of the segment, milliseconds. */
  ingestedAtMs: number;
  headers: RecordHeader[];
  /** JSON text as it was sent; null is a deletion in an upsert stream. */
  value: Uint8Array | null;
}

/**
 * Records of one partition on their way into the log, as parallel arrays over one buffer: no object per record.
 * Position -1 as a start means null. `headers` and `parsed` may be absent (no headers; not parsed).
 */
export interface RecordSlab {
  count: number;
  bytes: Uint8Array;
  keyStart: Int32Array;
  keyEnd: Int32Array;
  valueStart: Int32Array;
  valueEnd: Int32Array;
  timesMs: Float64Array;
  headers?: (RecordHeader[] | null)[];
  /** The parsed values, when the writer has them anyway: saves the tail a second JSON.parse. Dropped after use. */
  parsed?: (JsonValue | null)[];
}

/**
 * A Kafka record batch (magic v2) with the positions of everything in it. `bytes` is the whole batch, base offset included.
 * Produced alike by encoding and by decoding.
 */
export interface RecordBatch {
  bytes: Uint8Array;
  count: number;
  baseOffset: number;
  keyStart: Int32Array;
  keyEnd: Int32Array;
  valueStart: Int32Array;
  valueEnd: Int32Array;
  timesMs: Float64Array;
  /** Start of the header count of each record, or null when no record has headers. */
  headersStart: Int32Array | null;
}
