import { crc32c, utf8 } from '../../base/index.ts';
import type { RecordBatch, RecordHeader, RecordSlab } from '../records.ts';
import { BATCH, BATCH_LENGTH_END, putI64 } from './batch-layout.ts';
import { deltaSize, unsignedVarintSize, writeDelta, writeUnsignedVarint } from './varint.ts';

/** Below this many bytes a loop beats the call of a native copy. */
const LOOP_COPY_BYTES = 24;
const NO_HEADERS: readonly EncodedHeader[] = [];

interface EncodedHeader {
  name: Uint8Array;
  value: Uint8Array | null;
}

/** Everything about a batch that its size depends on, so that it can be written in place, once. */
export interface BatchPlan {
  slabs: readonly RecordSlab[];
  count: number;
  byteLength: number;
  baseTimestamp: number;
  maxTimestamp: number;
  /** Per record, the bytes after its length. */
  bodySizes: Int32Array;
  /** Null when no record has headers. */
  headers: (readonly EncodedHeader[])[] | null;
}

/** Lays out the records of many slabs as one batch. At least one record. */
export function planRecordBatch(slabs: readonly RecordSlab[]): BatchPlan {
  const count = slabs.reduce((sum, slab) => sum + slab.count, 0);
  const headers = encodeHeaders(slabs, count);
  const bodySizes = new Int32Array(count);
  const baseTimestamp = slabs.find(slab => slab.count > 0)!.timesMs[0];
  let maxTimestamp = baseTimestamp;
  let byteLength = BATCH.records;
  let at = 0;
  for (const { keyStart, keyEnd, valueStart, valueEnd, timesMs, count: records } of slabs) {
    for (let index = 0; index < records; index++, at++) {
      const time = timesMs[index];
      if (time > maxTimestamp) maxTimestamp = time;
      let size = 1 + deltaSize(time, baseTimestamp) + unsignedVarintSize(at * 2);
      size += nullableSize(keyStart[index], keyEnd[index]) + nullableSize(valueStart[index], valueEnd[index]);
      size += headers === null ? 1 : headersSize(headers[at]);
      bodySizes[at] = size;
      byteLength += size + unsignedVarintSize(size * 2);
    }
  }
  return { slabs, count, byteLength, baseTimestamp, maxTimestamp, bodySizes, headers };
}

/** Writes the planned batch into `target`, `plan.byteLength` bytes from `start`, which become the batch's bytes. */
export function writeRecordBatch(plan: BatchPlan, baseOffset: number, target: Uint8Array, start = 0): RecordBatch {
  const { count, slabs, bodySizes, baseTimestamp } = plan;
  const bytes = new Uint8Array(target.buffer, target.byteOffset + start, plan.byteLength);
  const destination = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const keyStarts = new Int32Array(count);
  const keyEnds = new Int32Array(count);
  const valueStarts = new Int32Array(count);
  const valueEnds = new Int32Array(count);
  const times = new Float64Array(count);
  const headersStart = plan.headers === null ? null : new Int32Array(count);
  let at: number = BATCH.records;
  let record = 0;
  for (const { bytes: slabBytes, keyStart, keyEnd, valueStart, valueEnd, timesMs, count: records } of slabs) {
    const source = Buffer.from(slabBytes.buffer, slabBytes.byteOffset, slabBytes.byteLength);
    for (let index = 0; index < records; index++, record++) {
      at = writeUnsignedVarint(bytes, at, bodySizes[record] * 2);
      bytes[at++] = 0;
      at = writeDelta(bytes, at, timesMs[index], baseTimestamp);
      at = writeUnsignedVarint(bytes, at, record * 2);
      times[record] = timesMs[index];
      const keyLength = keyStart[index] < 0 ? -1 : keyEnd[index] - keyStart[index];
      at = writeLength(bytes, at, keyLength);
      keyStarts[record] = keyLength < 0 ? -1 : at;
      if (keyLength > 0) at = copyBytes(source, keyStart[index], keyEnd[index], destination, at);
      keyEnds[record] = keyLength < 0 ? -1 : at;
      const valueLength = valueStart[index] < 0 ? -1 : valueEnd[index] - valueStart[index];
      at = writeLength(bytes, at, valueLength);
      valueStarts[record] = valueLength < 0 ? -1 : at;
      if (valueLength > 0) at = copyBytes(source, valueStart[index], valueEnd[index], destination, at);
      valueEnds[record] = valueLength < 0 ? -1 : at;
      if (headersStart === null) bytes[at++] = 0;
      else {
        headersStart[record] = at;
        at = writeHeaders(bytes, at, plan.headers![record]);
      }
    }
  }
  writeBatchHeader(bytes, plan, baseOffset);
  return {
    bytes,
    count,
    baseOffset,
    keyStart: keyStarts,
    keyEnd: keyEnds,
    valueStart: valueStarts,
    valueEnd: valueEnds,
    timesMs: times,
    headersStart,
  };
}

/** Encodes the records of many slabs, in this order, as one Kafka record batch (magic 2). At least one record. */
export function encodeRecordBatches(slabs: readonly RecordSlab[], baseOffset: number): RecordBatch {
  const plan = planRecordBatch(slabs);
  return writeRecordBatch(plan, baseOffset, new Uint8Array(plan.byteLength));
}

export function encodeRecordBatch(slab: RecordSlab, baseOffset: number): RecordBatch {
  return encodeRecordBatches([slab], baseOffset);
}

/** Gives an encoded batch another base offset, in place. Its CRC does not cover it. */
export function stampBaseOffset(batch: RecordBatch, baseOffset: number): void {
  putI64(new DataView(batch.bytes.buffer, batch.bytes.byteOffset), BATCH.baseOffset, baseOffset);
  batch.baseOffset = baseOffset;
}

function writeBatchHeader(bytes: Uint8Array, plan: BatchPlan, baseOffset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  putI64(view, BATCH.baseOffset, baseOffset);
  view.setInt32(BATCH.batchLength, plan.byteLength - BATCH_LENGTH_END);
  view.setInt32(BATCH.leaderEpoch, 0);
  view.setInt8(BATCH.magic, 2);
  view.setInt16(BATCH.attributes, 0);
  view.setInt32(BATCH.lastOffsetDelta, plan.count - 1);
  putI64(view, BATCH.baseTimestamp, plan.baseTimestamp);
  putI64(view, BATCH.maxTimestamp, plan.maxTimestamp);
  putI64(view, BATCH.producerId, -1);
  view.setInt16(BATCH.producerEpoch, -1);
  view.setInt32(BATCH.baseSequence, -1);
  view.setInt32(BATCH.recordCount, plan.count);
  view.setUint32(BATCH.crc, crc32c(bytes.subarray(BATCH.attributes)));
}

function nullableSize(start: number, end: number): number {
  return start < 0 ? 1 : unsignedVarintSize((end - start) * 2) + end - start;
}

function writeLength(bytes: Uint8Array, at: number, length: number): number {
  return writeUnsignedVarint(bytes, at, length < 0 ? 1 : length * 2);
}

function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  if (end - start > LOOP_COPY_BYTES) source.copy(target, at, start, end);
  else for (let from = start, to = at; from < end; from++, to++) target[to] = source[from];
  return at + end - start;
}

function encodeHeaders(slabs: readonly RecordSlab[], count: number): (readonly EncodedHeader[])[] | null {
  if (!slabs.some(slab => slab.headers?.some(list => list !== null && list.length > 0))) return null;
  const all: (readonly EncodedHeader[])[] = [];
  for (const slab of slabs) {
    for (let index = 0; index < slab.count; index++) all.push(slab.headers?.[index]?.map(encodeHeader) ?? NO_HEADERS);
  }
  return all.slice(0, count);
}

function encodeHeader(header: RecordHeader): EncodedHeader {
  return { name: utf8(header.name), value: header.value };
}

function headersSize(headers: readonly EncodedHeader[]): number {
  let size = unsignedVarintSize(headers.length * 2);
  for (const { name, value } of headers)
    size += nullableSize(0, name.length) + nullableSize(value === null ? -1 : 0, value?.length ?? 0);
  return size;
}

function writeHeaders(bytes: Uint8Array, start: number, headers: readonly EncodedHeader[]): number {
  let at = writeUnsignedVarint(bytes, start, headers.length * 2);
  for (const { name, value } of headers) {
    at = writeLength(bytes, at, name.length);
    bytes.set(name, at);
    at = writeLength(bytes, at + name.length, value === null ? -1 : value.length);
    if (value !== null) bytes.set(value, at);
    at += value?.length ?? 0;
  }
  return at;
}
