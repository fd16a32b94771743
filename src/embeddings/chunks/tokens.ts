/** Beyond this many characters without a change between text and white space, byte-pair merging would take quadratic time. */
const MAX_RUN_CHARS = 256;
const LONG_RUN = new RegExp(`\\S{${MAX_RUN_CHARS + 1}}|\\s{${MAX_RUN_CHARS + 1}}`);
/** Words come again and again. */
const MAX_SHORT_CHARS = 24;
const MAX_REMEMBERED = 50_000;
const AS_TEXT = { disallowedSpecial: new Set<string>() };

export type CountTokens = (text: string) => number;

let loaded: Promise<CountTokens> | null = null;

/**
 * Counts tokens of o200k_base, which takes a moment to load, so that nobody pays for it who cuts no document. What looks like a special
 * token is text. Runs of more than 256 characters are counted piece by piece, which is a little too much, and takes linear time.
 */
export function tokenCounter(): Promise<CountTokens> {
  loaded ??= import('gpt-tokenizer/encoding/o200k_base').then(({ countTokens }) => {
    const count = (text: string): number => countTokens(text, AS_TEXT);
    const short = remembered(count);
    return text => {
      if (text.length <= MAX_SHORT_CHARS) return short(text);
      return LONG_RUN.test(text) ? piecewise(text, count) : count(text);
    };
  });
  return loaded;
}

function remembered(count: CountTokens): CountTokens {
  const counts = new Map<string, number>();
  return text => {
    const known = counts.get(text);
    if (known !== undefined) return known;
    if (counts.size >= MAX_REMEMBERED) counts.clear();
    const tokens = count(text);
    counts.set(text, tokens);
    return tokens;
  };
}

function piecewise(text: string, count: CountTokens): number {
  let tokens = 0;
  for (let at = 0; at < text.length; at += MAX_RUN_CHARS) tokens += count(text.slice(at, at + MAX_RUN_CHARS));
  return tokens;
}
