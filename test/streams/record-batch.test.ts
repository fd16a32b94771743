import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTailwaterError, utf8 } from '../../src/base/index.ts';
import {
  decodeRecordBatch,
  encodeRecordBatch,
  encodeRecordBatches,
  recordAt,
  type Segment,
  stampBaseOffset,
} from '../../src/streams/index.ts';
import { type Given, slabOf, texts } from './log-support.ts';

/** Bit by bit, from the polynomial: an oracle that shares nothing with the library the log uses. */
function bitwiseCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

interface PlainRecord {
  offset: bigint;
  time: bigint;
  key: string | null;
  value: string | null;
  headers: [string, string | null][];
}

/** Written from Kafka's public description alone, with 64-bit integers as BigInt and no regard for speed. */
function decodePlainly(bytes: Uint8Array): PlainRecord[] {
  const buffer = Buffer.from(bytes);
  let at = 0;
  const varlong = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
  };
  const blob = (): string | null => {
    const length = Number(varlong());
    if (length < 0) return null;
    at += length;
    return buffer.toString('hex', at - length, at);
  };
  const baseOffset = buffer.readBigInt64BE(0);
  expect(buffer.readInt32BE(8)).toBe(buffer.length - 12);
  expect(buffer.readInt8(16)).toBe(2);
  expect(buffer.readUInt32BE(17)).toBe(bitwiseCrc32c(buffer.subarray(21)));
  expect(buffer.readInt16BE(21)).toBe(0);
  expect([buffer.readBigInt64BE(43), buffer.readInt16BE(51), buffer.readInt32BE(53)]).toEqual([-1n, -1, -1]);
  const count = buffer.readInt32BE(57);
  expect(buffer.readInt32BE(23)).toBe(count - 1);
  at = 61;
  const records: PlainRecord[] = [];
  for (let index = 0; index < count; index++) {
    const end = Number(varlong()) + at;
    expect(buffer[at++]).toBe(0);
    const time = buffer.readBigInt64BE(27) + varlong();
    const offset = baseOffset + varlong();
    const record: PlainRecord = { offset, time, key: blob(), value: blob(), headers: [] };
    for (let left = varlong(); left > 0n; left--) record.headers.push([Buffer.from(blob()!, 'hex').toString(), blob()]);
    expect(at).toBe(end);
    records.push(record);
  }
  expect(at).toBe(buffer.length);
  const times = records.map(record => record.time);
  expect(buffer.readBigInt64BE(27)).toBe(times[0]);
  expect(times.filter(time => time > buffer.readBigInt64BE(35))).toEqual([]);
  expect(times).toContain(buffer.readBigInt64BE(35));
  return records;
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex');
}

function plainOf(given: readonly Given[], baseOffset: number): PlainRecord[] {
  return given.map((record, index) => ({
    offset: BigInt(baseOffset) + BigInt(index),
    time: BigInt(record.timeMs),
    key: hex(record.key),
    value: hex(record.value),
    headers: (record.headers ?? []).map(header => [header.name, hex(header.value)]),
  }));
}

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 200 }), { freq: 4 });
const anyTime = fc.oneof(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }), fc.maxSafeInteger());
const header = fc.record({ name: fc.string({ unit: 'binary', maxLength: 20 }), value: bytesOrNull });
const givenRecord: fc.Arbitrary<Given> = fc.oneof(
  fc.record({ key: bytesOrNull, value: bytesOrNull, timeMs: anyTime }),
  fc.record({ key: bytesOrNull, value: bytesOrNull, timeMs: anyTime, headers: fc.array(header, { maxLength: 3 }) }),
);
const givenSlabs = fc.array(fc.array(givenRecord, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 });
const baseOffsets = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100 }));

describe('record batches', () => {
  test('have the bytes that the public description gives by hand', () => {
    const records = slabOf([
      { key: utf8('k'), value: utf8('hi'), timeMs: 1000, headers: [{ name: 'h', value: utf8('v') }] },
      { key: null, value: null, timeMs: 999 },
    ]);
    const body = [
      '0000', // attributes
      '00000001', // last offset delta
      '00000000000003e8', // base timestamp
      '00000000000003e8', // max timestamp
      'ffffffffffffffff', // producer id
      'ffff', // producer epoch
      'ffffffff', // base sequence
      '00000002', // records
      '1a',
      '00',
      '00',
      '00',
      '02',
      '6b',
      '04',
      '6869',
      '02',
      '02',
      '68',
      '02',
      '76', // 13 bytes, k=hi with one header
      '0c',
      '00',
      '01',
      '02',
      '01',
      '01',
      '00', // 6 bytes, one millisecond before, null key and value
    ].join('');
    const crc = bitwiseCrc32c(Buffer.from(body, 'hex')).toString(16).padStart(8, '0');
    const length = (4 + 1 + 4 + body.length / 2).toString(16).padStart(8, '0');
    const expected = `0000000000000005${length}0000000002${crc}${body}`;
    expect(hex(encodeRecordBatch(records, 5).bytes)).toBe(expected);
  });

  test('hold any records, as an independent decoder reads them', () => {
    fc.assert(
      fc.property(givenSlabs, baseOffsets, (slabs, baseOffset) => {
        const batch = encodeRecordBatches(slabs.map(slabOf), baseOffset);
        expect(decodePlainly(batch.bytes)).toEqual(plainOf(slabs.flat(), baseOffset));
      }),
      { numRuns: 300 },
    );
  });

  test('decode to what encoding produced, positions included', () => {
    fc.assert(
      fc.property(givenSlabs, baseOffsets, (slabs, baseOffset) => {
        const batch = encodeRecordBatches(slabs.map(slabOf), baseOffset);
        expect(decodeRecordBatch(batch.bytes)).toEqual(batch);
      }),
      { numRuns: 300 },
    );
  });

  test('give every record back as a reader sees it', () => {
    fc.assert(
      fc.property(givenSlabs, slabs => {
        const batch = encodeRecordBatches(slabs.map(slabOf), 40);
        const segment: Segment = {
          shard: 0,
          seq: 3,
          writerId: 'w',
          writerSequence: 1,
          commitTimeMs: 77,
          controls: [],
          batches: [],
          byteLength: 0,
        };
        const given = slabs.flat();
        const read = given.map((_, index) => recordAt({ incarnation: 'i', partition: 2, firstIndex: 5, batch }, index, segment));
        expect(read.map(record => [record.partition, record.offset, record.seq, record.ingestedAtMs])).toEqual(
          given.map((_, index) => [2, 40 + index, 3 * 65_536 + 5 + index, 77]),
        );
        expect(read.map(record => [record.timeMs, hex(record.key), hex(record.value)])).toEqual(
          given.map(record => [record.timeMs, hex(record.key), hex(record.value)]),
        );
        const headers = read.map(record => record.headers.map(({ name, value }) => [name, hex(value)]));
        expect(headers).toEqual(given.map(record => (record.headers ?? []).map(({ name, value }) => [name, hex(value)])));
      }),
      { numRuns: 200 },
    );
  });

  test('take another base offset without another checksum', () => {
    fc.assert(
      fc.property(givenSlabs, baseOffsets, baseOffsets, (slabs, first, second) => {
        const batch = encodeRecordBatches(slabs.map(slabOf), first);
        stampBaseOffset(batch, second);
        expect(batch).toEqual(encodeRecordBatches(slabs.map(slabOf), second));
      }),
      { numRuns: 50 },
    );
  });

  test('any changed byte after the base offset and the leader epoch is noticed', () => {
    const { bytes } = encodeRecordBatch(texts('one', 'two', 'three'), 9);
    for (let at = 8; at < bytes.length; at++) {
      if (at >= 12 && at < 16) continue;
      const changed = Uint8Array.from(bytes);
      changed[at] ^= 0x41;
      expect(() => decodeRecordBatch(changed), `byte ${at}`).toThrow(expect.objectContaining({ code: 'TW_DATA_DAMAGED' }));
    }
  });

  test('garbage with a right checksum is damage, never a crash', () => {
    fc.assert(
      fc.property(givenSlabs, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }), (slabs, place, noise) => {
        const { bytes } = encodeRecordBatches(slabs.map(slabOf), 0);
        const changed = Uint8Array.from(bytes);
        changed.set(noise, 21 + (place % Math.max(1, bytes.length - 21 - noise.length)));
        new DataView(changed.buffer).setUint32(17, bitwiseCrc32c(changed.subarray(21)));
        try {
          decodeRecordBatch(changed);
        } catch (error) {
          expect(isTailwaterError(error, 'TW_DATA_DAMAGED')).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('what the log never writes is refused by name', () => {
    const compressed = Uint8Array.from(encodeRecordBatch(texts('x'), 0).bytes);
    new DataView(compressed.buffer).setInt16(21, 2);
    new DataView(compressed.buffer).setUint32(17, bitwiseCrc32c(compressed.subarray(21)));
    expect(() => decodeRecordBatch(compressed)).toThrow('uncompressed');
  });
});
