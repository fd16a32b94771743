import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkKey, compareKeys, escapeSegment, isKey, unescapeSegment } from '../../src/storage/keys.ts';

describe('keys', () => {
  test('are ordered as their UTF-8 bytes are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    fc.assert(
      fc.property(text, text, text, (prefix, a, b) => {
        const expected = Buffer.compare(Buffer.from(prefix + a), Buffer.from(prefix + b));
        expect(Math.sign(compareKeys(prefix + a, prefix + b))).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a segment becomes a file name that no two segments share, even where case is ignored, and comes back from it', () => {
    const segment = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(segment, segment, (a, b) => {
        const name = escapeSegment(a);
        expect(unescapeSegment(name)).toBe(a);
        expect(name).toMatch(/^(?!\.)[a-z0-9._%-]+$/);
        if (a !== b) expect(name.toLowerCase()).not.toBe(escapeSegment(b).toLowerCase());
      }),
      { numRuns: 2_000 },
    );
  });

  test('what is accepted never leaves its folder and always fits a file system', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '.', '/', '\0', '\n', 'Ä', '😀', '\ud800', '\\'), maxLength: 12 }),
        key => {
          const isAccepted = isKey(key);
          if (isAccepted) {
            expect(key).not.toMatch(/(^|\/)\.{0,2}(\/|$)/);
            for (const segment of key.split('/')) expect(escapeSegment(segment).length).toBeLessThanOrEqual(240);
          } else expect(() => checkKey(key)).toThrow(expect.objectContaining({ code: 'TW_BAD_REQUEST' }));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
