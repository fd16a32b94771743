import { type BinaryReader, type BinaryWriter, isJsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { AppendReceipt, ControlRecord } from '../segment-types.ts';

/**
 * A segment: one entry of a log shard's journal. Integers are big-endian; `varint` is unsigned LEB128, `zigzag` its signed form, `text` a
 * varint length and UTF-8. `stream` is an index into the footer's list of incarnations.
 *
 *   segment     = header batch* footer footerStart:u32 crc32c:u32          (the crc covers everything before it)
 *   header      = magic:u32("TWSG") version:u16(1) flags:u16(0) shard:u32 seq:i64 commitTimeMs:i64 writerSequence:i64 nonce:8 bytes writerId:text
 *   batch       = a Kafka record batch (batch-layout.ts); one per stream partition, without gaps between them
 *   footer      = incarnations controls idempotency producers index
 *   incarnations= count:varint incarnation:text*
 *   controls    = count:varint (JSON of a ControlRecord:text)*              (they take effect before the batches)
 *   idempotency = count:varint (key:text fingerprint:text answer:text partCount:varint part*)*
 *   part        = stream:varint partition:varint first:varint last:zigzag
 *   producers   = count:varint (id:zigzag epoch:varint sequence:varint stream:varint partition:varint firstOffset:varint count:varint)*
 *   index       = count:varint (stream:varint partition:varint baseOffset:varint count:varint byteLength:varint)*   (in the order of the batches)
 */
export const SEGMENT_MAGIC = 0x54575347;
export const SEGMENT_VERSION = 1;
export const NONCE_BYTES = 8;
/** footerStart and crc32c. */
export const TRAILER_BYTES = 8;

export interface SegmentHeader {
  shard: number;
  seq: number;
  commitTimeMs: number;
  writerSequence: number;
  nonce: Uint8Array;
  writerId: string;
}

/** A request's idempotency key with what its retries are answered with. Sequence and commit time are the segment's. */
export interface IdempotencyRecord {
  key: string;
  fingerprint: string;
  answer: JsonValue;
  parts: AppendReceipt['parts'];
}

/** One append of an idempotent producer. */
export interface ProducerRecord {
  id: number;
  epoch: number;
  /** The sequence of its first record. */
  sequence: number;
  incarnation: string;
  partition: number;
  firstOffset: number;
  count: number;
}

/** Where a batch is in the segment. */
export interface BatchEntry {
  incarnation: string;
  partition: number;
  baseOffset: number;
  count: number;
  byteLength: number;
}

export interface SegmentFooter {
  controls: readonly ControlRecord[];
  idempotency: readonly IdempotencyRecord[];
  producers: readonly ProducerRecord[];
  batches: readonly BatchEntry[];
}

export function writeHeader(out: BinaryWriter, header: SegmentHeader): void {
  out.u32(SEGMENT_MAGIC);
  out.u16(SEGMENT_VERSION);
  out.u16(0);
  out.u32(header.shard);
  out.i64(header.seq);
  out.i64(header.commitTimeMs);
  out.i64(header.writerSequence);
  out.raw(header.nonce);
  out.text(header.writerId);
}

export function readHeader(input: BinaryReader): SegmentHeader {
  if (input.u32() !== SEGMENT_MAGIC) throw damaged('These bytes are not a segment.');
  const version = input.u16();
  if (version > SEGMENT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `A segment has format ${version}; this version reads up to ${SEGMENT_VERSION}.`,
      data: { found: version, supported: SEGMENT_VERSION },
    });
  }
  if (version !== SEGMENT_VERSION || input.u16() !== 0) throw damaged(`A segment has format ${version}, which never was.`);
  const header = { shard: input.u32(), seq: input.i64(), commitTimeMs: input.i64(), writerSequence: input.i64() };
  return { ...header, nonce: input.raw(NONCE_BYTES), writerId: input.text() };
}

export function writeFooter(out: BinaryWriter, footer: SegmentFooter): void {
  const streams = new Map<string, number>();
  for (const { incarnation } of footer.batches) note(streams, incarnation);
  for (const record of footer.idempotency) for (const { incarnation } of record.parts) note(streams, incarnation);
  out.varint(streams.size);
  for (const incarnation of streams.keys()) out.text(incarnation);
  out.varint(footer.controls.length);
  for (const control of footer.controls) out.text(JSON.stringify(control));
  out.varint(footer.idempotency.length);
  for (const record of footer.idempotency) writeIdempotency(out, record, streams);
  out.varint(footer.producers.length);
  for (const record of footer.producers) writeProducer(out, record, streams);
  out.varint(footer.batches.length);
  for (const batch of footer.batches) writeEntry(out, batch, streams);
}

export function readFooter(input: BinaryReader): SegmentFooter {
  const streams = list(input, () => input.text());
  return {
    controls: list(input, () => readControl(input)),
    idempotency: list(input, () => readIdempotency(input, streams)),
    producers: list(input, () => readProducer(input, streams)),
    batches: list(input, () => readEntry(input, streams)),
  };
}

function writeIdempotency(out: BinaryWriter, record: IdempotencyRecord, streams: Map<string, number>): void {
  out.text(record.key);
  out.text(record.fingerprint);
  out.text(JSON.stringify(record.answer));
  out.varint(record.parts.length);
  for (const part of record.parts) {
    out.varint(streams.get(part.incarnation)!);
    out.varint(part.partition);
    out.varint(part.first);
    out.zigzag(part.last);
  }
}

function readIdempotency(input: BinaryReader, streams: readonly string[]): IdempotencyRecord {
  return {
    key: input.text(),
    fingerprint: input.text(),
    answer: parseJson(input.text()) as JsonValue,
    parts: list(input, () => ({
      incarnation: streamAt(streams, input.varint()),
      partition: input.varint(),
      first: input.varint(),
      last: input.zigzag(),
    })),
  };
}

function writeProducer(out: BinaryWriter, record: ProducerRecord, streams: Map<string, number>): void {
  out.zigzag(record.id);
  out.varint(record.epoch);
  out.varint(record.sequence);
  out.varint(streams.get(record.incarnation)!);
  out.varint(record.partition);
  out.varint(record.firstOffset);
  out.varint(record.count);
}

function readProducer(input: BinaryReader, streams: readonly string[]): ProducerRecord {
  const producer = { id: input.zigzag(), epoch: input.varint(), sequence: input.varint() };
  const place = { incarnation: streamAt(streams, input.varint()), partition: input.varint() };
  return { ...producer, ...place, firstOffset: input.varint(), count: input.varint() };
}

function writeEntry(out: BinaryWriter, entry: BatchEntry, streams: Map<string, number>): void {
  out.varint(streams.get(entry.incarnation)!);
  out.varint(entry.partition);
  out.varint(entry.baseOffset);
  out.varint(entry.count);
  out.varint(entry.byteLength);
}

function readEntry(input: BinaryReader, streams: readonly string[]): BatchEntry {
  const place = { incarnation: streamAt(streams, input.varint()), partition: input.varint() };
  return { ...place, baseOffset: input.varint(), count: input.varint(), byteLength: input.varint() };
}

function readControl(input: BinaryReader): ControlRecord {
  const control = parseJson(input.text());
  if (isControl(control)) return control;
  throw damaged('A segment has a control record of a kind that this version does not know.');
}

function isControl(value: unknown): value is ControlRecord {
  if (!isJsonObject(value)) return false;
  const { kind, definition, incarnation, partitions } = value;
  if (kind === 'create') {
    return isJsonObject(definition) && typeof definition.incarnation === 'string' && Number.isSafeInteger(definition.partitions);
  }
  if (typeof incarnation !== 'string') return false;
  return kind === 'delete' || (kind === 'partitions' && Number.isSafeInteger(partitions));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: 'A segment’s footer holds text that is not JSON.', cause });
  }
}

function list<T>(input: BinaryReader, item: () => T): T[] {
  const count = input.varint();
  if (count > input.remaining) throw damaged(`A list of ${count} items cannot fit in ${input.remaining} bytes.`);
  const items: T[] = [];
  for (let left = count; left > 0; left--) items.push(item());
  return items;
}

function note(streams: Map<string, number>, incarnation: string): void {
  if (!streams.has(incarnation)) streams.set(incarnation, streams.size);
}

function streamAt(streams: readonly string[], index: number): string {
  if (index >= streams.length) throw damaged(`A footer names stream ${index} of ${streams.length}.`);
  return streams[index];
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail });
}
