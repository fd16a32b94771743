import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c, fromBase64Url, toBase64Url } from '../../src/base/index.ts';
import { decodeToken, encodeToken, type Position } from '../../src/streams/index.ts';

const head = fc.oneof(fc.constant(-1), fc.nat(), fc.integer({ min: -1, max: 2 ** 51 }));
const position: fc.Arbitrary<Position> = fc.record({
  shards: fc.array(fc.record({ shard: fc.nat(100), seq: fc.maxSafeNat() }), { maxLength: 4 }),
  streams: fc.array(
    fc.record({
      incarnation: fc.string({ unit: 'grapheme-ascii', maxLength: 16 }),
      tableState: fc.option(fc.nat()),
      heads: fc.array(head, { maxLength: 8 }),
    }),
    { maxLength: 4 },
  ),
});

function isBadToken(token: string): void {
  expect(() => decodeToken(token)).toThrow(expect.objectContaining({ code: 'TW_BAD_TOKEN' }));
}

describe('tokens', () => {
  test('name a position exactly', () => {
    fc.assert(
      fc.property(position, given => {
        expect(decodeToken(encodeToken(given))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  test('are safe in URLs, and short for a common position', () => {
    fc.assert(
      fc.property(position, given => {
        expect(encodeToken(given)).toMatch(/^[A-Za-z0-9_-]+$/);
      }),
    );
    const common = {
      shards: [{ shard: 0, seq: 123_456 }],
      streams: [{ incarnation: 'a'.repeat(16), tableState: 40, heads: [1_000_000] }],
    };
    expect(encodeToken(common).length).toBeLessThanOrEqual(52);
  });

  test('of wide streams still fit 8 KiB', () => {
    const heads = Array.from({ length: 256 }, (_, index) => 10_000_000_000 + index * 977);
    const streams = ['stream-one', 'stream-two'].map(incarnation => ({ incarnation, tableState: 9, heads }));
    expect(encodeToken({ shards: [{ shard: 0, seq: 5 }], streams }).length).toBeLessThanOrEqual(8_192);
  });

  test('that would pass 8 KiB are refused when made, and when given', () => {
    const streams = Array.from({ length: 500 }, (_, index) => ({
      incarnation: `incarnation-${index}`,
      tableState: 1,
      heads: [index],
    }));
    expect(() => encodeToken({ shards: [], streams })).toThrow(expect.objectContaining({ code: 'TW_BAD_REQUEST' }));
    isBadToken('A'.repeat(8_193));
  });

  test('that were changed, cut or made up are TW_BAD_TOKEN', () => {
    fc.assert(
      fc.property(position, fc.nat(), fc.constantFrom(...'Az09-_'), (given, place, character) => {
        const token = encodeToken(given);
        const at = place % token.length;
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        if (changed !== token) isBadToken(changed);
        isBadToken(token.slice(0, -1));
        isBadToken(`${token}A`);
        isBadToken(`${token}=`);
      }),
      { numRuns: 300 },
    );
    fc.assert(fc.property(fc.string(), isBadToken));
  });

  test('with a right checksum around nonsense are TW_BAD_TOKEN too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), body => {
        const bytes = new Uint8Array(body.length + 4);
        bytes.set(body);
        new DataView(bytes.buffer).setUint32(body.length, crc32c(body));
        try {
          decodeToken(toBase64Url(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'TW_BAD_TOKEN' });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('of another version are refused by name', () => {
    const bytes = fromBase64Url(encodeToken({ shards: [], streams: [] }));
    bytes[0] = 3;
    new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32c(bytes.subarray(0, -4)));
    expect(() => decodeToken(toBase64Url(bytes))).toThrow('version 3');
  });
});
