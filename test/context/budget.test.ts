import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { type Candidate, select, worthOf } from '../../src/context/candidates.ts';
import { blockOf, renderContext } from '../../src/context/render.ts';
import { spend } from '../../src/context/spend.ts';
import { cachedTokenizer, defaultTokenizer } from '../../src/context/tokenizer.ts';

/** Counted anew by the tokenizer itself, without the cache under test. */
function recount(text: string): number {
  return countTokens(text, { disallowedSpecial: new Set() });
}

const words = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.lorem({ maxCount: 60 }),
  fc.constantFrom('<|endoftext|>', '`'.repeat(40), ' \n\n ', '日本語のテキスト'.repeat(9)),
);

const drawn = fc.array(fc.record({ leg: fc.nat(3), value: words, required: fc.boolean() }), { minLength: 1, maxLength: 25 });

async function candidatesOf(items: readonly { leg: number; value: string; required: boolean }[]): Promise<Candidate[]> {
  const tokenizer = await defaultTokenizer();
  return [...items]
    .sort((a, b) => a.leg - b.leg)
    .map(({ leg, value }, offset) => {
      const item = {
        kind: 'documents' as const,
        tier: 'tail' as const,
        ageMs: 5,
        source: { stream: `s${leg}`, partition: 0, offset, key: null },
        value: { body: value },
      };
      const block = blockOf(item);
      const name = `documents:s${leg}`;
      const tokens = tokenizer.count(block);
      const required = items.some(other => other.leg === leg && other.required);
      return { ...item, leg: name, required, ranks: {}, rank: 1, score: 1 / (offset + 1), block, tokens };
    });
}

describe('the budget', () => {
  test('is never exceeded by the whole text, whatever the items are, and one of every required leg is in it', async () => {
    const tokenizer = cachedTokenizer(await defaultTokenizer());
    const frame = { asOf: '2026-01-01T00:00:00.000Z', subject: 'ann', freshness: [] };
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(drawn, fc.integer({ min: 1, max: 3000 }), async (items, budget) => {
        const candidates = await candidatesOf(items);
        try {
          const { text, tokens, chosen, left } = spend(candidates, frame, budget, tokenizer);
          answered++;
          expect(recount(text)).toBe(tokens);
          expect(tokens).toBeLessThanOrEqual(budget);
          expect(chosen.length + left.length).toBe(candidates.length);
          const wanted = candidates.filter(({ required }) => required).map(({ leg }) => leg);
          expect(new Set(chosen.map(({ leg }) => leg)).isSupersetOf(new Set(wanted))).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'TW_CONTEXT_BUDGET', data: { budget } });
        }
      }),
      { numRuns: 150 },
    );
    expect(answered).toBeGreaterThan(50);
  });

  test('that is large enough holds everything, in the order of the legs', async () => {
    const candidates = await candidatesOf([
      { leg: 1, value: 'second', required: false },
      { leg: 0, value: 'first', required: false },
    ]);
    const frame = { asOf: '2026-01-01T00:00:00.000Z', subject: null, freshness: [] };
    const { text, left } = spend(candidates, frame, 10_000, await defaultTokenizer());
    expect(left).toEqual([]);
    expect(text).toBe(renderContext(frame, candidates));
    expect(text.indexOf('first')).toBeLessThan(text.indexOf('second'));
  });
});

describe('a selection', () => {
  const items = fc.array(
    fc.record({
      leg: fc.constantFrom('a', 'b', 'c'),
      required: fc.boolean(),
      score: fc.double({ min: 0.01, max: 1, noNaN: true }),
      tokens: fc.integer({ min: 1, max: 50 }),
    }),
    { maxLength: 20 },
  );

  test('fits, is maximal, serves required legs that can be served, and is the same each time', () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 0, max: 200 }), (candidates, budget) => {
        const chosen = select(candidates, budget);
        const used = chosen.reduce((sum, index) => sum + candidates[index].tokens, 0);
        expect(used).toBeLessThanOrEqual(budget);
        const others = candidates.filter((_, index) => !chosen.includes(index));
        expect(others.every(({ tokens }) => tokens > budget - used)).toBe(true);
        expect(select(candidates, budget)).toEqual(chosen);
      }),
    );
  });

  test('takes what is worth more per token', () => {
    const candidate = { leg: 'a', required: false };
    const chosen = select(
      [
        { ...candidate, score: 1, tokens: 10 },
        { ...candidate, score: 0.9, tokens: 5 },
        { ...candidate, score: 0.8, tokens: 5 },
      ],
      10,
    );
    expect(chosen).toEqual([1, 2]);
  });

  test('values an item half as much after a half-life, when recency is all that counts', () => {
    expect(worthOf(1, 1, 1000, { halfLifeMs: 1000, weight: 1 })).toBeCloseTo(0.5 * worthOf(1, 1, 0, null), 12);
    expect(worthOf(1, 1, 1000, { halfLifeMs: 1000, weight: 0 })).toBe(worthOf(1, 1, 0, null));
    expect(worthOf(2, 1, 0, null)).toBeLessThan(worthOf(1, 1, 0, null));
  });
});
