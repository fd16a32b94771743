import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../src/base/index.ts';
import { analyze, BM25_DEFAULTS, Bm25, embedText, searchText } from '../../src/streams/index.ts';
import { TermCache } from '../../src/streams/text/term-cache.ts';
import { streamDefinition } from './tail-streams.ts';

describe('analyze', () => {
  test('gives the terms in order, with repetitions', () => {
    expect(analyze('The cats saw other cats: Catching!')).toEqual(['cat', 'saw', 'cat', 'catch']);
    expect(analyze('')).toEqual([]);
  });

  test('texts beside each other do not influence one another', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 60 }), (a, b) => {
        expect(analyze(`${a} ${b}`)).toEqual([...analyze(a), ...analyze(b)]);
      }),
    );
  });
});

describe('the cache of terms', () => {
  test('answers as without it, and forgets words out of use', () => {
    let derived = 0;
    const cache = new TermCache(4, word => {
      derived++;
      return word.toUpperCase();
    });
    for (let round = 0; round < 10; round++) {
      expect(cache.get('often')).toBe('OFTEN');
      for (let word = 0; word < 3; word++) expect(cache.get(`w${round}-${word}`)).toBe(`W${round}-${word}`);
    }
    expect(derived).toBe(31);
    expect(cache.get('w0-0')).toBe('W0-0');
    expect(derived).toBe(32);
  });
});

describe('BM25', () => {
  const statistics = { documents: 100, tokens: 1_000, frequencies: [5, 100, 0] };

  test('is the formula of Robertson and Zaragoza with the idf of Lucene', () => {
    const { k1, b } = BM25_DEFAULTS;
    const expected = (tf: number, df: number, length: number) =>
      (Math.log(1 + (100 - df + 0.5) / (df + 0.5)) * tf * (k1 + 1)) / (tf + k1 * (1 - b + (b * length) / 10));
    const bm25 = new Bm25(statistics);
    expect(bm25.score([2, 1, 0], 12)).toBeCloseTo(expected(2, 5, 12) + expected(1, 100, 12), 12);
    expect(bm25.score([0, 0, 0], 12)).toBe(0);
  });

  test('never scores below zero, and more occurrences never score less', () => {
    const bm25 = new Bm25({ documents: 1, tokens: 0, frequencies: [1, 3] });
    expect(bm25.score([1, 1], 0)).toBeGreaterThan(0);
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.integer({ min: 1, max: 500 }), (a, b, length) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        expect(new Bm25(statistics).score([more, 0, 0], length)).toBeGreaterThanOrEqual(
          new Bm25(statistics).score([less, 0, 0], length),
        );
      }),
    );
  });
});

describe('the text of a record', () => {
  test.each<[JsonValue, string | null]>([
    [{ title: 'a', body: { text: 'b' } }, 'a\nb'],
    [{ body: { text: 'b' } }, 'b'],
    [{ title: '', body: { text: 'b' } }, 'b'],
    [{ title: 7, body: { text: true } }, '7\ntrue'],
    [{ title: ['x', ['y', 2], {}, null, ''] }, 'x\ny\n2'],
    [{ title: null, body: 'no object' }, null],
    [{ title: { nested: 'x' }, body: { text: [] } }, null],
    ['title', null],
    [null, null],
  ])('%j: %j', (value, expected) => {
    const fields = ['title', 'body.text'];
    const embed = { fields, provider: 'hash', model: 'hash-v1', dimensions: 4 };
    expect(searchText(streamDefinition({ search: { fields } }), value)).toBe(expected);
    expect(embedText(streamDefinition({ embed }), value)).toBe(expected);
  });

  test('lists nested without end have none', () => {
    let title: JsonValue = 'deep';
    for (let depth = 0; depth < 100_000; depth++) title = [title];
    expect(searchText(streamDefinition({ search: { fields: ['title'] } }), { title })).toBeNull();
  });

  test('a stream that declares none has none', () => {
    expect(searchText(streamDefinition({}), { title: 'a' })).toBeNull();
    expect(embedText(streamDefinition({}), { title: 'a' })).toBeNull();
  });
});
