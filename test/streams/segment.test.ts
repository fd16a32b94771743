import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c, isTailwaterError } from '../../src/base/index.ts';
import { type ControlRecord, decodeSegment, encodeSegment } from '../../src/streams/index.ts';
import { readSegmentSummary, type SegmentDraft } from '../../src/streams/wal/segment.ts';
import { creating, slabOf } from './log-support.ts';

const safe = fc.maxSafeNat();
const id = fc.string({ unit: 'binary', maxLength: 20 });
const given = fc.record({
  key: fc.option(fc.uint8Array({ maxLength: 20 })),
  value: fc.option(fc.uint8Array({ maxLength: 60 })),
  timeMs: fc.maxSafeInteger(),
});
const batch = fc.record({
  incarnation: id,
  partition: fc.nat(255),
  baseOffset: fc.maxSafeNat().map(offset => Math.max(0, offset - 100)),
  slabs: fc.array(fc.array(given, { minLength: 1, maxLength: 5 }).map(slabOf), { minLength: 1, maxLength: 3 }),
});
const controls: fc.Arbitrary<ControlRecord> = fc.oneof(
  fc.constant(creating('made', 3)),
  id.map(incarnation => ({ kind: 'delete' as const, incarnation })),
  id.map(incarnation => ({ kind: 'partitions' as const, incarnation, partitions: 9 })),
);
const drafts: fc.Arbitrary<SegmentDraft> = fc
  .record({
    shard: fc.nat(1000),
    seq: safe,
    commitTimeMs: safe,
    writerSequence: safe,
    nonce: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    writerId: id,
    controls: fc.array(controls, { maxLength: 3 }),
    batches: fc.array(batch, { minLength: 1, maxLength: 4 }),
    keys: fc.array(fc.record({ key: id, fingerprint: id, answer: fc.jsonValue() as fc.Arbitrary<null> }), { maxLength: 3 }),
    producers: fc.array(fc.record({ id: safe, epoch: fc.nat(32_767), sequence: fc.nat() }), { maxLength: 3 }),
  })
  .map(({ keys, producers, ...draft }) => {
    const [{ incarnation, partition, baseOffset }] = draft.batches;
    const part = { incarnation, partition, first: baseOffset, last: baseOffset };
    return {
      ...draft,
      idempotency: keys.map(key => ({ ...key, answer: JSON.parse(JSON.stringify(key.answer)), parts: [part] })),
      producers: producers.map(producer => ({ ...producer, incarnation, partition, firstOffset: baseOffset, count: 1 })),
    };
  });

function withCrc(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(bytes.length - 4, crc32c(bytes.subarray(0, bytes.length - 4)));
  return bytes;
}

describe('segments', () => {
  test('decode to what encoding said they hold', () => {
    fc.assert(
      fc.property(drafts, draft => {
        const { bytes, segment } = encodeSegment(draft);
        expect(decodeSegment(bytes)).toEqual(segment);
      }),
      { numRuns: 200 },
    );
  });

  test('carry what replicas need beside the records', () => {
    fc.assert(
      fc.property(drafts, draft => {
        const summary = readSegmentSummary(encodeSegment(draft).bytes);
        const { batches, ...rest } = draft;
        expect(summary).toMatchObject(rest);
        expect(
          summary.batches.map(({ incarnation, partition, baseOffset, count }) => ({ incarnation, partition, baseOffset, count })),
        ).toEqual(
          batches.map(({ incarnation, partition, baseOffset, slabs }) => {
            return { incarnation, partition, baseOffset, count: slabs.reduce((sum, slab) => sum + slab.count, 0) };
          }),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('pass on parsed values only when all appends of a batch bring them', () => {
    const one = slabOf([{ key: null, value: Buffer.from('1'), timeMs: 0, parsed: 1 }]);
    const two = slabOf([{ key: null, value: Buffer.from('2'), timeMs: 0, parsed: 2 }]);
    const bare = slabOf([{ key: null, value: Buffer.from('3'), timeMs: 0 }]);
    const parsedOf = (...slabs: (typeof one)[]): unknown => {
      const header = { shard: 0, seq: 1, commitTimeMs: 1, writerSequence: 1, nonce: new Uint8Array(8), writerId: 'w' };
      const place = { incarnation: 'i', partition: 0, baseOffset: 0 };
      const draft = { ...header, controls: [], idempotency: [], producers: [], batches: [{ ...place, slabs }] };
      return encodeSegment(draft).segment.batches[0].parsed;
    };
    expect(parsedOf(one)).toEqual([1]);
    expect(parsedOf(one, two)).toEqual([1, 2]);
    expect(parsedOf(one, bare)).toBeUndefined();
  });

  test('of a newer format are refused as such, not as damage', () => {
    fc.assert(
      fc.property(drafts, fc.integer({ min: 2, max: 65_535 }), (draft, version) => {
        const bytes = Uint8Array.from(encodeSegment(draft).bytes);
        new DataView(bytes.buffer).setUint16(4, version);
        expect(() => decodeSegment(withCrc(bytes))).toThrow(expect.objectContaining({ code: 'TW_FORMAT_TOO_NEW' }));
      }),
      { numRuns: 20 },
    );
  });

  test('any changed byte but the version is damage', () => {
    fc.assert(
      fc.property(drafts, fc.nat(), fc.integer({ min: 1, max: 255 }), (draft, place, flip) => {
        const bytes = Uint8Array.from(encodeSegment(draft).bytes);
        const at = place % bytes.length;
        fc.pre(at !== 4 && at !== 5);
        bytes[at] ^= flip;
        for (const read of [decodeSegment, readSegmentSummary]) {
          expect(() => read(bytes)).toThrow(expect.objectContaining({ code: 'TW_DATA_DAMAGED' }));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('garbage, even with a right checksum, is an error of the registry and never a crash', () => {
    const noise = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.nat(60));
    fc.assert(
      fc.property(drafts, noise, (draft, [place, replacement, cut]) => {
        const whole = encodeSegment(draft).bytes;
        const bytes = Uint8Array.from(whole.subarray(0, Math.max(20, whole.length - cut)));
        bytes.set(replacement.subarray(0, bytes.length), place % Math.max(1, bytes.length - replacement.length));
        for (const read of [decodeSegment, readSegmentSummary]) {
          try {
            read(withCrc(bytes));
          } catch (error) {
            expect(isTailwaterError(error, 'TW_DATA_DAMAGED', 'TW_FORMAT_TOO_NEW')).toBe(true);
          }
        }
      }),
      { numRuns: 1500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        expect(() => decodeSegment(bytes)).toThrow(expect.objectContaining({ name: 'TailwaterError' }));
      }),
    );
  });
});
