import type { Tokenizer } from './context-types.ts';

const MAX_CACHED = 20_000;
const MAX_CACHED_CHARS = 8192;

/** What models since GPT-4o count by. Loaded when first needed: its table is large. */
export async function defaultTokenizer(): Promise<Tokenizer> {
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  // Text from data that looks like a special token is text.
  const plain = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
  const count = (text: string): number => countTokens(text, plain);
  return { name: 'o200k_base', count: text => countInPieces(text, count) };
}

/** Counting takes the square of the length of what has no break in it: text of this length takes well below a millisecond. */
const MAX_UNBROKEN_CHARS = 256;
const UNBROKEN = new RegExp(`\\S{${MAX_UNBROKEN_CHARS + 1},}`, 'gu');

/** Long runs without white space are counted piece by piece, each with a token more: never less than the whole, and as good as never much more. */
export function countInPieces(text: string, count: (text: string) => number): number {
  let tokens = 0;
  let from = 0;
  for (const { 0: run, index } of text.matchAll(UNBROKEN)) {
    tokens += count(text.slice(from, index));
    for (const piece of run.match(PIECES)!) tokens += count(piece) + 1;
    from = index + run.length;
  }
  return tokens + count(text.slice(from));
}

const PIECES = new RegExp(`.{1,${MAX_UNBROKEN_CHARS}}`, 'gsu');

/** The same items come into context after context: each text is counted once while it is remembered. */
export function cachedTokenizer(tokenizer: Tokenizer): Tokenizer {
  const counts = new Map<string, number>();
  return {
    name: tokenizer.name,
    count: text => {
      const known = counts.get(text);
      if (known !== undefined) return known;
      const count = tokenizer.count(text);
      if (text.length > MAX_CACHED_CHARS) return count;
      if (counts.size >= MAX_CACHED) counts.delete(counts.keys().next().value!);
      counts.set(text, count);
      return count;
    },
  };
}
