import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashProvider } from '../../src/embeddings/index.ts';
import { ndcgAt10, readCranfield } from './cranfield.ts';

const provider = new HashProvider();

function vectorOf(text: string, from: HashProvider = provider): Float32Array {
  const vector = new Float32Array(from.dimensions);
  from.embedInto(text, vector, 0);
  return vector;
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, index) => sum + x * b[index], 0);
}

const similarity = (a: string, b: string): number => cosine(vectorOf(a), vectorOf(b));

describe('hash embeddings', () => {
  test('every text has a vector of unit length, whatever it is made of', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('', ' ', 'the', '🎉', '---', '\ud800'),
    );
    fc.assert(
      fc.property(anyText, fc.constantFrom(8, 64, 384, 1000), (text, dimensions) => {
        const vector = vectorOf(text, new HashProvider({ dimensions }));
        expect(cosine(vector, vector)).toBeCloseTo(1, 5);
      }),
    );
  });

  test('a text has the same vector whatever was embedded before, alone or in a batch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.lorem({ maxCount: 40 }), { minLength: 1, maxLength: 8 }), async texts => {
        const batch = await provider.embed(texts);
        for (const [index, text] of texts.entries()) {
          const alone = vectorOf(text, new HashProvider());
          expect(batch.subarray(index * 384, (index + 1) * 384)).toEqual(alone);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('vectors stay what they are from version to version', () => {
    const vector = vectorOf('Tailwater merges the fresh tail with the table.', new HashProvider({ dimensions: 8 }));
    expect([...vector].map(x => Number(x.toFixed(4)))).toMatchInlineSnapshot(`
      [
        0.4117,
        -0.26,
        -0.2336,
        0.0976,
        0,
        -0.7361,
        0.0601,
        -0.3917,
      ]
    `);
  });

  test('writes only into its place', () => {
    const out = new Float32Array(3 * 384).fill(7);
    provider.embedInto('wing', out, 384);
    expect(out.subarray(0, 384).every(x => x === 7) && out.subarray(768).every(x => x === 7)).toBe(true);
    expect(out.subarray(384, 768)).toEqual(vectorOf('wing'));
  });

  test('case, accents, punctuation and word order around stop words do not matter', () => {
    expect(similarity('Café Zürich', 'cafe, zurich!')).toBeCloseTo(1, 5);
    expect(similarity('the boundary of a layer', 'boundary layer')).toBeCloseTo(1, 5);
  });

  test('shared words, shared beginnings and misspellings bring texts nearer than nothing shared', () => {
    const unrelated = similarity('refund for the broken kettle', 'supersonic boundary layers');
    for (const near of ['broken kettles refunded', 'my kettle broke, refund please', 'refnud for the broken ketle']) {
      expect(similarity('refund for the broken kettle', near)).toBeGreaterThan(unrelated + 0.15);
    }
  });

  test('texts of scripts without spaces are compared by their characters', () => {
    expect(similarity('東京の天気', '東京の天候')).toBeGreaterThan(similarity('東京の天気', '料理の本') + 0.2);
  });

  test('a text of stop words only is still found by itself', () => {
    expect(similarity('to be or not to be', 'to be or not to be')).toBeCloseTo(1, 5);
    expect(similarity('to be or not to be', 'who was he')).toBeLessThan(0.6);
  });

  test('refuses dimensions it cannot make', () => {
    for (const dimensions of [0, 7, 1.5, 5000]) {
      expect(() => new HashProvider({ dimensions })).toThrow(expect.objectContaining({ code: 'TW_SETTING' }));
    }
  });

  test('finds relevant abstracts of the Cranfield collection (nDCG@10 at least 0.31)', async () => {
    const data = readCranfield();
    if (data === null) {
      console.warn('No Cranfield data (TAILWATER_DATA): its retrieval quality was not measured.');
      expect(similarity('wing flutter', 'the flutter of wings')).toBeGreaterThan(0.5);
      return;
    }
    const docs = await provider.embed(data.docs.map(doc => doc.text));
    const scores = data.queries.map(query => {
      const vector = vectorOf(query.text);
      const ranked = data.docs
        .map(({ id }, index) => ({ id, score: cosine(vector, docs.subarray(index * 384, (index + 1) * 384)) }))
        .sort((a, b) => b.score - a.score);
      return ndcgAt10(
        ranked.map(({ id }) => id),
        data.relevant.get(query.id) ?? new Set(),
      );
    });
    expect(scores.reduce((sum, score) => sum + score, 0) / scores.length).toBeGreaterThan(0.31);
  });
});
