import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { countInPieces, defaultTokenizer } from '../../src/context/tokenizer.ts';

const LONG = [
  'a'.repeat(1000),
  '潮'.repeat(700),
  'ab潮🌊'.repeat(150),
  `${'x1'.repeat(400)} tide ${'='.repeat(900)}`,
  'https://a.example/'.repeat(60),
];

describe('counting tokens', () => {
  test.each(LONG)('never says less than there are, of a long run without a break (%#)', async text => {
    const { count } = await defaultTokenizer();
    const exact = countTokens(text);
    expect(count(text)).toBeGreaterThanOrEqual(exact);
    expect(count(text)).toBeLessThanOrEqual(exact * 1.5 + 20);
  });

  test('is exact where there are breaks', async () => {
    const { count } = await defaultTokenizer();
    const text = 'The tide is high; the harbour opens at six.\n'.repeat(40);
    expect(count(text)).toBe(countTokens(text));
  });

  test('asks for no more than 256 characters without a break at a time, and for all of them', () => {
    const asked: string[] = [];
    const text = `${'🌊'.repeat(1000)} and ${'b'.repeat(600)}`;
    countInPieces(text, piece => asked.push(piece));
    expect(asked.join('')).toBe(text);
    for (const piece of asked) for (const run of piece.split(/\s/u)) expect([...run].length).toBeLessThanOrEqual(256);
  });
});
