/**
 * Apache Kafka's record batch, magic 2 (KIP-98; kafka.apache.org/documentation/#recordbatch), uncompressed, create-time timestamps, no
 * producer and not transactional. Integers are big-endian; varint and varlong are zigzag.
 *
 *   batch  = baseOffset:i64 batchLength:i32 partitionLeaderEpoch:i32 magic:i8(2) crc:u32
 *            attributes:i16(0) lastOffsetDelta:i32 baseTimestamp:i64 maxTimestamp:i64
 *            producerId:i64(-1) producerEpoch:i16(-1) baseSequence:i32(-1) recordCount:i32 record*
 *   record = length:varint attributes:i8(0) timestampDelta:varlong offsetDelta:varint
 *            keyLength:varint(-1 null) key  valueLength:varint(-1 null) value  headerCount:varint header*
 *   header = nameLength:varint name:utf8  valueLength:varint(-1 null) value
 *
 * `batchLength` counts from partitionLeaderEpoch to the end; `crc` is the CRC-32C from attributes to the end, so that the base offset
 * (and the epoch) can be stamped without touching it. Producers' ids and sequences live in the segment, because one batch holds the
 * records of many appends.
 */
export const BATCH = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

/** Bytes before the part that `batchLength` counts. */
export const BATCH_LENGTH_END = 12;

/** A record is at least its length, attributes, two deltas, two lengths and a header count: seven bytes. */
export const MIN_RECORD_BYTES = 7;

/** Attribute bits. */
export const COMPRESSION_MASK = 0x07;
export const LOG_APPEND_TIME = 0x08;

export function putI64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}

/** Exact for safe integers; others come back unsafe, which the caller rejects. */
export function getI64(view: DataView, at: number): number {
  return view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
