import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BinaryReader, BinaryWriter } from '../../src/base/index.ts';

type Written =
  | { kind: 'u8' | 'u16' | 'u32' | 'i64' | 'varint' | 'zigzag'; value: number }
  | { kind: 'text'; value: string }
  | { kind: 'sized'; value: Uint8Array };

const number = (kind: 'u8' | 'u16' | 'u32' | 'i64' | 'varint' | 'zigzag', values: fc.Arbitrary<number>): fc.Arbitrary<Written> =>
  values.map(value => ({ kind, value }));

const written: fc.Arbitrary<Written> = fc.oneof(
  number('u8', fc.nat(0xff)),
  number('u16', fc.nat(0xffff)),
  number('u32', fc.nat(0xffff_ffff)),
  number('i64', fc.maxSafeInteger()),
  number('varint', fc.oneof(fc.nat(300), fc.maxSafeNat())),
  number('zigzag', fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 52), max: 2 ** 52 }))),
  fc.string({ unit: 'binary' }).map(value => ({ kind: 'text' as const, value: value.toWellFormed() })),
  fc.uint8Array({ maxLength: 40 }).map(value => ({ kind: 'sized' as const, value })),
);

function write(out: BinaryWriter, item: Written): void {
  if (item.kind === 'text') out.text(item.value);
  else if (item.kind === 'sized') out.sized(item.value);
  else out[item.kind](item.value);
}

function read(input: BinaryReader, kind: Written['kind']): Written['value'] {
  return input[kind]();
}

test('what a writer wrote is read back, wherever its buffer had to grow', () => {
  fc.assert(
    fc.property(fc.array(written, { maxLength: 40 }), fc.integer({ min: 1, max: 64 }), (items, initialBytes) => {
      const out = new BinaryWriter(initialBytes);
      for (const item of items) write(out, item);
      const input = new BinaryReader(out.finish());
      expect(items.map(item => read(input, item.kind))).toEqual(items.map(item => item.value));
      expect(input.remaining).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test('what is read raw is copied by slice, also out of a Buffer', () => {
  const source = Buffer.from([1, 2, 3, 4]);
  const copy = new BinaryReader(source, 1).raw(2).slice();
  source.fill(0);
  expect([copy, copy.buffer.byteLength]).toEqual([Uint8Array.of(2, 3), 2]);
});

test('reading past the end is damage', () => {
  const input = new BinaryReader(Uint8Array.of(0x80));
  expect(() => input.varint()).toThrow(expect.objectContaining({ code: 'TW_DATA_DAMAGED' }));
});
