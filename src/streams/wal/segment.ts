import { BinaryReader, BinaryWriter, crc32c, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { RecordBatch, RecordSlab } from '../records.ts';
import { type ControlRecord, MAX_SEGMENT_RECORDS, type Segment, type SegmentBatch } from '../segment-types.ts';
import { decodeRecordBatch } from './batch-decode.ts';
import { type BatchPlan, planRecordBatch, stampBaseOffset, writeRecordBatch } from './batch-encode.ts';
import {
  type BatchEntry,
  type IdempotencyRecord,
  type ProducerRecord,
  readFooter,
  readHeader,
  type SegmentFooter,
  type SegmentHeader,
  TRAILER_BYTES,
  writeFooter,
  writeHeader,
} from './segment-layout.ts';

/** The records of one stream partition in a segment, one or many appends. `encoded` is an earlier encoding of the same slabs. */
export interface BatchDraft {
  incarnation: string;
  partition: number;
  baseOffset: number;
  slabs: readonly RecordSlab[];
  encoded?: RecordBatch;
}

export interface SegmentDraft extends SegmentHeader {
  controls: readonly ControlRecord[];
  idempotency: readonly IdempotencyRecord[];
  producers: readonly ProducerRecord[];
  batches: readonly BatchDraft[];
}

/** A segment without its records: all that a log's state is folded from. */
export type SegmentSummary = SegmentHeader & SegmentFooter;

/** The bytes of a new segment, and what decoding them would give (plus parsed values), found without decoding. */
export function encodeSegment(draft: SegmentDraft): { bytes: Uint8Array; segment: Segment } {
  const plans = draft.batches.map(batch => batch.encoded ?? planRecordBatch(batch.slabs));
  const entries = draft.batches.map((batch, index) => entryOf(batch, plans[index]));
  const header = new BinaryWriter(96);
  writeHeader(header, draft);
  const footer = new BinaryWriter(128);
  writeFooter(footer, { ...draft, batches: entries });
  const footerStart = entries.reduce((sum, entry) => sum + entry.byteLength, header.length);
  const bytes = allocate(footerStart + footer.length + TRAILER_BYTES);
  bytes.set(header.finish());
  const batches = writeBatches(draft.batches, plans, bytes, header.length);
  bytes.set(footer.finish(), footerStart);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(bytes.length - 8, footerStart);
  view.setUint32(bytes.length - 4, crc32c(bytes.subarray(0, bytes.length - 4)));
  return { bytes, segment: segmentOf(draft, [...draft.controls], batches, bytes.length) };
}

/** Header and footer of a segment, after checking its crc32c. TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
export function readSegmentSummary(bytes: Uint8Array): SegmentSummary {
  return readEnds(bytes).summary;
}

/** A whole segment; its batches are views into `bytes`. TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
export function decodeSegment(bytes: Uint8Array): Segment {
  const { summary, batchesStart } = readEnds(bytes);
  const batches: SegmentBatch[] = [];
  let at = batchesStart;
  let firstIndex = 0;
  for (const { incarnation, partition, baseOffset, count, byteLength } of summary.batches) {
    const batch = decodeRecordBatch(bytes.subarray(at, at + byteLength));
    if (batch.baseOffset !== baseOffset || batch.count !== count)
      throw damaged('A batch is not the one that the footer describes.');
    batches.push({ incarnation, partition, firstIndex, batch });
    at += byteLength;
    firstIndex += count;
  }
  return segmentOf(summary, [...summary.controls], batches, bytes.length);
}

function readEnds(bytes: Uint8Array): { summary: SegmentSummary; batchesStart: number } {
  const input = new BinaryReader(bytes);
  const header = readHeader(input);
  if (input.remaining < TRAILER_BYTES) throw damaged('A segment ends before its trailer.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const footerStart = view.getUint32(bytes.length - 8);
  const crc = view.getUint32(bytes.length - 4);
  if (crc !== crc32c(bytes.subarray(0, bytes.length - 4))) throw damaged(`The crc32c of segment ${header.seq} does not match.`);
  const footer = readFooter(new BinaryReader(bytes.subarray(0, bytes.length - TRAILER_BYTES), footerStart));
  const batchesEnd = footer.batches.reduce((sum, entry) => sum + entry.byteLength, input.position);
  const records = footer.batches.reduce((sum, entry) => sum + entry.count, 0);
  if (batchesEnd !== footerStart || records > MAX_SEGMENT_RECORDS)
    throw damaged(`The footer of segment ${header.seq} does not fit its batches.`);
  return { summary: { ...header, ...footer }, batchesStart: input.position };
}

function writeBatches(
  drafts: readonly BatchDraft[],
  plans: readonly (BatchPlan | RecordBatch)[],
  target: Uint8Array,
  start: number,
): SegmentBatch[] {
  const batches: SegmentBatch[] = [];
  let at = start;
  let firstIndex = 0;
  for (const [index, { incarnation, partition, baseOffset, slabs }] of drafts.entries()) {
    const plan = plans[index];
    const batch = 'bytes' in plan ? copyOf(plan, baseOffset, target, at) : writeRecordBatch(plan, baseOffset, target, at);
    const parsed = parsedOf(slabs);
    batches.push({ incarnation, partition, firstIndex, batch, ...(parsed === null ? {} : { parsed }) });
    at += batch.bytes.length;
    firstIndex += batch.count;
  }
  return batches;
}

/** Bytes of an earlier attempt may still be on their way to the store, so they are copied, never changed. */
function copyOf(batch: RecordBatch, baseOffset: number, target: Uint8Array, start: number): RecordBatch {
  target.set(batch.bytes, start);
  const copy = { ...batch, bytes: target.subarray(start, start + batch.bytes.length) };
  stampBaseOffset(copy, baseOffset);
  return copy;
}

function parsedOf(slabs: readonly RecordSlab[]): (JsonValue | null)[] | null {
  const all = slabs.map(slab => slab.parsed);
  if (all.some(parsed => parsed === undefined)) return null;
  return all.length === 1 ? all[0]! : all.flatMap(parsed => parsed!);
}

function entryOf(draft: BatchDraft, plan: BatchPlan | RecordBatch): BatchEntry {
  const byteLength = 'bytes' in plan ? plan.bytes.length : plan.byteLength;
  return {
    incarnation: draft.incarnation,
    partition: draft.partition,
    baseOffset: draft.baseOffset,
    count: plan.count,
    byteLength,
  };
}

function segmentOf(header: SegmentHeader, controls: ControlRecord[], batches: SegmentBatch[], byteLength: number): Segment {
  const { shard, seq, writerId, writerSequence, commitTimeMs } = header;
  return { shard, seq, writerId, writerSequence, commitTimeMs, controls, batches, byteLength };
}

/** Memory that is not cleared first: every byte of it is written. Small ones share a pool. */
function allocate(length: number): Uint8Array {
  const buffer = Buffer.allocUnsafe(length);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, length);
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail });
}
