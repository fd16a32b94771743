import { crc32c, fromUtf8, TailwaterError } from '../../base/index.ts';
import type { RecordBatch, RecordHeader, StreamRecord } from '../records.ts';
import { recordSeq, type Segment, type SegmentBatch } from '../segment-types.ts';
import { BATCH, BATCH_LENGTH_END, COMPRESSION_MASK, getI64, LOG_APPEND_TIME, MIN_RECORD_BYTES } from './batch-layout.ts';
import { VarintCursor } from './varint.ts';

/**
 * Finds every record of a Kafka record batch (magic 2) whose bytes are exactly `bytes`. Copies nothing.
 * TW_DATA_DAMAGED when its CRC-32C or its structure is wrong, or when it uses what the log never writes (compression, unsafe integers).
 */
export function decodeRecordBatch(bytes: Uint8Array): RecordBatch {
  const header = readHeader(bytes);
  const { count } = header;
  const keyStart = new Int32Array(count);
  const keyEnd = new Int32Array(count);
  const valueStart = new Int32Array(count);
  const valueEnd = new Int32Array(count);
  const timesMs = new Float64Array(count);
  const headersStart = new Int32Array(count);
  const cursor = new VarintCursor(bytes, BATCH.records, bytes.length);
  let anyHeaders = false;
  for (let index = 0; index < count; index++) {
    cursor.end = bytes.length;
    const length = cursor.int32();
    const start = cursor.skip(length);
    cursor.at = start;
    cursor.end = start + length;
    cursor.skip(1);
    timesMs[index] = cursor.sumWithVarlong(header.baseTimestamp);
    if (cursor.int32() !== index) throw damaged(`The offset delta of record ${index} is not ${index}.`);
    const keyLength = cursor.int32();
    keyStart[index] = keyLength < 0 ? -1 : cursor.skip(keyLength);
    keyEnd[index] = keyLength < 0 ? -1 : cursor.at;
    const valueLength = cursor.int32();
    valueStart[index] = valueLength < 0 ? -1 : cursor.skip(valueLength);
    valueEnd[index] = valueLength < 0 ? -1 : cursor.at;
    headersStart[index] = cursor.at;
    const headers = cursor.int32();
    if (headers !== 0) {
      anyHeaders = true;
      skipHeaders(cursor, headers);
    }
    if (cursor.at !== start + length) throw damaged(`Record ${index} is not as long as it says.`);
  }
  if (cursor.at !== bytes.length) throw damaged(`${bytes.length - cursor.at} bytes follow the last record.`);
  return {
    bytes,
    count,
    baseOffset: header.baseOffset,
    keyStart,
    keyEnd,
    valueStart,
    valueEnd,
    timesMs,
    headersStart: anyHeaders ? headersStart : null,
  };
}

/** One record of a segment; its key, value and header values are views into the batch. */
export function recordAt(batch: SegmentBatch, index: number, segment: Segment): StreamRecord {
  const { bytes, baseOffset, keyStart, keyEnd, valueStart, valueEnd, timesMs, headersStart } = batch.batch;
  return {
    partition: batch.partition,
    offset: baseOffset + index,
    seq: recordSeq(segment.seq, batch.firstIndex + index),
    key: keyStart[index] < 0 ? null : bytes.subarray(keyStart[index], keyEnd[index]),
    timeMs: timesMs[index],
    ingestedAtMs: segment.commitTimeMs,
    headers: headersStart === null ? [] : readHeaders(bytes, headersStart[index]),
    value: valueStart[index] < 0 ? null : bytes.subarray(valueStart[index], valueEnd[index]),
  };
}

function readHeader(bytes: Uint8Array): { baseOffset: number; baseTimestamp: number; count: number } {
  if (bytes.length < BATCH.records) throw damaged(`A record batch of ${bytes.length} bytes is shorter than its header.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getInt8(BATCH.magic) !== 2) throw damaged(`The record batch has magic ${view.getInt8(BATCH.magic)}, not 2.`);
  const length = view.getInt32(BATCH.batchLength) + BATCH_LENGTH_END;
  if (length !== bytes.length) throw damaged(`The record batch says ${length} bytes, but there are ${bytes.length}.`);
  if (crc32c(bytes.subarray(BATCH.attributes)) !== view.getUint32(BATCH.crc)) {
    throw damaged('The CRC-32C of a record batch does not match its records.');
  }
  const attributes = view.getInt16(BATCH.attributes);
  if ((attributes & (COMPRESSION_MASK | LOG_APPEND_TIME)) !== 0) {
    throw damaged(`The record batch has attributes ${attributes}; the log holds uncompressed, create-time batches only.`);
  }
  const count = view.getInt32(BATCH.recordCount);
  if (
    count < 1 ||
    count > (bytes.length - BATCH.records) / MIN_RECORD_BYTES ||
    count !== view.getInt32(BATCH.lastOffsetDelta) + 1
  ) {
    throw damaged(`The record batch cannot hold the ${count} records it says.`);
  }
  const baseOffset = getI64(view, BATCH.baseOffset);
  const baseTimestamp = getI64(view, BATCH.baseTimestamp);
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0 || !Number.isSafeInteger(baseTimestamp)) {
    throw damaged(`The record batch starts at offset ${baseOffset} and time ${baseTimestamp}, which cannot be.`);
  }
  return { baseOffset, baseTimestamp, count };
}

function skipHeaders(cursor: VarintCursor, count: number): void {
  if (count < 0) throw damaged(`A record says it has ${count} headers.`);
  for (let index = 0; index < count; index++) {
    cursor.skip(cursor.int32());
    const length = cursor.int32();
    if (length >= 0) cursor.skip(length);
  }
}

function readHeaders(bytes: Uint8Array, start: number): RecordHeader[] {
  const cursor = new VarintCursor(bytes, start, bytes.length);
  const headers: RecordHeader[] = [];
  for (let left = cursor.int32(); left > 0; left--) {
    const nameStart = cursor.skip(cursor.int32());
    const name = fromUtf8(bytes.subarray(nameStart, cursor.at));
    const length = cursor.int32();
    const valueStart = cursor.skip(Math.max(length, 0));
    headers.push({ name, value: length < 0 ? null : bytes.subarray(valueStart, cursor.at) });
  }
  return headers;
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail });
}
