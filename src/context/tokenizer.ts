import type { Tokenizer } from './context-types.ts';

const MAX_CACHED = 20_000;
const MAX_CACHED_CHARS = 8192;

/** What models since GPT-4o count by. Loaded when first needed: its table is large. */
export async function defaultTokenizer(): Promise<Tokenizer> {
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  // Text from data that looks like a special token is text.
  const plain = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
  return { name: 'o200k_base', count: text => countTokens(text, plain) };
}

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
