import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CountedHashes, HashCounter } from '../../src/lakehouse/statistics/counted-hashes.ts';
import { murmur128 } from '../../src/lakehouse/statistics/murmur.ts';

/** SMHasher's own check: hash the keys {}, {0}, {0, 1}, … with seeds 256, 255, …; hash the hashes; the first word is published. */
test('the hash is MurmurHash3_x86_128', () => {
  const key = Uint8Array.from({ length: 256 }, (_, index) => index);
  const hashes = new Uint8Array(256 * 16);
  const out = new Uint32Array(4);
  for (let length = 0; length < 256; length++) {
    murmur128(key.subarray(0, length), out, 256 - length);
    hashes.set(new Uint8Array(out.buffer), length * 16);
  }
  murmur128(hashes, out);
  expect(out[0].toString(16)).toBe('b3ece62a');
});

/** Few distinct hashes, so that they meet; extremes of both words, so that order and directory are exercised at their ends. */
const word = fc.constantFrom(0, 1, 7, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff);
const entry = fc.tuple(fc.oneof(word, fc.integer({ min: 0, max: 0xffff_ffff })), word, fc.integer({ min: -3, max: 3 }));
const entries = fc.array(entry, { maxLength: 300 });

type Entry = [high: number, low: number, count: number];

function counted(list: readonly Entry[]): CountedHashes {
  const counter = new HashCounter();
  for (const [high, low, count] of list) counter.add(high, low, count);
  return counter.finish();
}

function model(list: readonly Entry[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [high, low, count] of list) sums.set(`${high}.${low}`, (sums.get(`${high}.${low}`) ?? 0) + count);
  for (const [name, sum] of sums) if (sum === 0) sums.delete(name);
  return sums;
}

function expectEqual(hashes: CountedHashes, list: readonly Entry[]): void {
  const sums = model(list);
  expect(hashes.size).toBe(sums.size);
  for (const [high, low] of list) expect(hashes.count(high, low)).toBe(sums.get(`${high}.${low}`) ?? 0);
  for (let index = 1; index < hashes.size; index++) {
    const rises = hashes.high[index - 1] < hashes.high[index];
    expect(rises || (hashes.high[index - 1] === hashes.high[index] && hashes.low[index - 1] < hashes.low[index])).toBe(true);
  }
}

describe('counted hashes', () => {
  test('hold the sum of the counts of every hash, whatever the order of adding', () => {
    fc.assert(fc.property(entries, list => expectEqual(counted(list), list)));
  });

  test('say 0 for hashes that were never added', () => {
    fc.assert(
      fc.property(entries, fc.tuple(word, word), (list, [high, low]) => {
        expect(counted(list).count(high, low)).toBe(model(list).get(`${high}.${low}`) ?? 0);
      }),
    );
  });

  test('merge into what counting everything at once gives', () => {
    fc.assert(fc.property(entries, entries, (a, b) => expectEqual(counted(a).merge(counted(b)), [...a, ...b])));
  });

  test('keep counts that need 1, 2 and 4 bytes', () => {
    for (const count of [127, -128, 128, 32_767, -32_768, 32_768, 2_000_000_000, -2_000_000_000]) {
      expect(
        counted([
          [5, 6, count],
          [7, 8, 1],
        ]).count(5, 6),
      ).toBe(count);
    }
  });

  test('find every one of 200,000 hashes', () => {
    const list: Entry[] = [];
    for (let index = 0; index < 200_000; index++) list.push([Math.imul(index, 0x9e3779b1) >>> 0, index, 1]);
    const hashes = counted(list);
    expect(hashes.counts).toBeNull();
    expect(list.every(([high, low]) => hashes.count(high, low) === 1 && hashes.count(high, low + 1_000_000) === 0)).toBe(true);
  });
});
