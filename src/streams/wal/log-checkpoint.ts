import { BinaryReader, BinaryWriter, crc32c, type JsonValue, TailwaterError } from '../../base/index.ts';
import { IdempotencyTable } from './idempotency.ts';
import type { LogState } from './log-state.ts';
import { type ProducerBatch, type ProducerState, ProducerTable } from './producers.ts';
import { WriterSequences } from './writers.ts';

/**
 * The state of a log shard after one of its segments (J6). Integers are big-endian; lists are oldest first.
 *
 *   checkpoint  = magic:u32("TWLC") version:u16(1) shard:u32 seq:i64 commitTimeMs:i64 streams writers idempotency producers crc32c:u32
 *   streams     = count:varint (incarnation:text partitions:varint nextOffset:varint*)*
 *   writers     = forgotten:u8 count:varint (writerId:text lastSequence:varint)*
 *   idempotency = count:varint (key:text fingerprint:text answer:text seq:varint commitTimeMs:zigzag
 *                 partCount:varint (incarnation:text partition:varint first:varint last:zigzag)*)*
 *   producers   = count:varint (id:zigzag incarnation:text partition:varint epoch:varint
 *                 batchCount:varint (sequence:varint firstOffset:varint count:varint seq:varint commitTimeMs:zigzag)*)*
 */
const MAGIC = 0x54574c43;
const VERSION = 1;

export function encodeLogCheckpoint(state: LogState, shard: number): Uint8Array {
  const out = new BinaryWriter(1024);
  out.u32(MAGIC);
  out.u16(VERSION);
  out.u32(shard);
  out.i64(state.seq);
  out.i64(state.commitTimeMs);
  out.varint(state.streams.size);
  for (const [incarnation, offsets] of state.streams) {
    out.text(incarnation);
    out.varint(offsets.length);
    for (const offset of offsets) out.varint(offset);
  }
  writeWriters(out, state.writers);
  writeIdempotency(out, state.idempotency);
  out.varint(state.producers.size);
  for (const [, producer] of state.producers.entries()) writeProducer(out, producer);
  out.u32(crc32c(out.finish()));
  return out.finish();
}

export function decodeLogCheckpoint(bytes: Uint8Array, shard: number): LogState {
  const input = new BinaryReader(checkedBody(bytes), 6);
  const found = input.u32();
  if (found !== shard) throw damaged(`The checkpoint of log shard ${shard} is one of shard ${found}.`);
  const seq = input.i64();
  const commitTimeMs = input.i64();
  const streams = new Map(times(input, () => [input.text(), times(input, () => input.varint())] as const));
  const writers = readWriters(input);
  const idempotency = readIdempotency(input, seq);
  const producers = new ProducerTable();
  for (const producer of times(input, () => readProducer(input))) producers.set(producer);
  return { seq, commitTimeMs, streams, lastDeletionSeq: seq, writers, idempotency, producers };
}

function checkedBody(bytes: Uint8Array): Uint8Array {
  const input = new BinaryReader(bytes);
  if (input.u32() !== MAGIC) throw damaged('These bytes are not a log checkpoint.');
  const version = input.u16();
  if (version > VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `A log checkpoint has format ${version}; this version reads up to ${VERSION}.`,
      data: { found: version, supported: VERSION },
    });
  }
  const end = bytes.length - 4;
  if (end < input.position || new BinaryReader(bytes, end).u32() !== crc32c(bytes.subarray(0, end))) {
    throw damaged('The crc32c of a log checkpoint does not match.');
  }
  return bytes.subarray(0, end);
}

function writeWriters(out: BinaryWriter, writers: WriterSequences): void {
  out.u8(writers.forgotten ? 1 : 0);
  out.varint(writers.size);
  for (const [writerId, sequence] of writers.entries()) {
    out.text(writerId);
    out.varint(sequence);
  }
}

function readWriters(input: BinaryReader): WriterSequences {
  const forgotten = input.u8() === 1;
  return WriterSequences.from(
    times(input, () => [input.text(), input.varint()] as const),
    forgotten,
  );
}

function writeIdempotency(out: BinaryWriter, table: IdempotencyTable): void {
  out.varint(table.size);
  for (const [key, entry] of table.entries()) {
    out.text(key);
    out.text(entry.fingerprint);
    out.text(JSON.stringify(entry.answer));
    out.varint(entry.seq);
    out.zigzag(entry.commitTimeMs);
    out.varint(entry.parts.length);
    for (const part of entry.parts) {
      out.text(part.incarnation);
      out.varint(part.partition);
      out.varint(part.first);
      out.zigzag(part.last);
    }
  }
}

function readIdempotency(input: BinaryReader, checkpointSeq: number): IdempotencyTable {
  // What the table had forgotten by then is not kept: whoever decided on a state before this one decides again.
  const table = new IdempotencyTable(checkpointSeq);
  for (let left = input.varint(); left > 0; left--) {
    const texts = { key: input.text(), fingerprint: input.text(), answer: parseAnswer(input.text()) };
    const seq = input.varint();
    const commitTimeMs = input.zigzag();
    const parts = times(input, () => ({
      incarnation: input.text(),
      partition: input.varint(),
      first: input.varint(),
      last: input.zigzag(),
    }));
    table.record({ ...texts, parts }, seq, commitTimeMs);
  }
  return table;
}

function writeProducer(out: BinaryWriter, producer: ProducerState): void {
  out.zigzag(producer.id);
  out.text(producer.incarnation);
  out.varint(producer.partition);
  out.varint(producer.epoch);
  out.varint(producer.batches.length);
  for (const batch of producer.batches) {
    out.varint(batch.sequence);
    out.varint(batch.firstOffset);
    out.varint(batch.count);
    out.varint(batch.seq);
    out.zigzag(batch.commitTimeMs);
  }
}

function readProducer(input: BinaryReader): ProducerState {
  const place = { id: input.zigzag(), incarnation: input.text(), partition: input.varint(), epoch: input.varint() };
  return { ...place, batches: times(input, () => readBatch(input)) };
}

function readBatch(input: BinaryReader): ProducerBatch {
  const batch = { sequence: input.varint(), firstOffset: input.varint(), count: input.varint() };
  return { ...batch, seq: input.varint(), commitTimeMs: input.zigzag() };
}

function parseAnswer(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: 'A log checkpoint holds an answer that is not JSON.', cause });
  }
}

/** Every item has a byte or more, so that no count asks for more memory than its bytes could fill. */
function times<T>(input: BinaryReader, item: () => T): T[] {
  const count = input.varint();
  if (count > input.remaining) throw damaged(`A list of ${count} items cannot fit in ${input.remaining} bytes.`);
  return Array.from({ length: count }, item);
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail });
}
