import { foldToAscii } from './fold.ts';
import { stemEnglish } from './stem.ts';
import { STOP_WORDS } from './stop-words.ts';
import { TermCache } from './term-cache.ts';
import { wordUnitsAt } from './word-characters.ts';

/**
 * The options of LanceDB's `Index.fts` that give the tokens of `analyze`. Query such an index with the *text*, not with analyzed terms:
 * LanceDB analyzes the query itself, and stemming twice is not stemming once ("university" -> "univers" -> "univer").
 */
export const LANCE_TEXT_INDEX = {
  baseTokenizer: 'simple',
  language: 'English',
  maxTokenLength: 40,
  lowercase: true,
  stem: true,
  removeStopWords: true,
  asciiFolding: true,
  withPosition: false,
} as const;

const MAX_CACHED_WORDS = 65_536;

const terms = new TermCache(MAX_CACHED_WORDS, termOf);

/**
 * The terms of a text, in order, repeated as they occur: equal to those of a LanceDB full-text index with LANCE_TEXT_INDEX. Splits at
 * everything that is not a Unicode letter or number, drops words of 40 UTF-8 bytes and more, lowercases, stems, drops stop words,
 * folds to ASCII. In this order, which shows: "does" is stemmed to "doe" before it could be a stop word.
 */
export function analyze(text: string): string[] {
  const found: string[] = [];
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    const width = wordUnitsAt(text, at);
    if (width === 0) {
      if (start >= 0) pushTerm(found, text.slice(start, at));
      start = -1;
    } else {
      if (start < 0) start = at;
      at += width - 1;
    }
  }
  if (start >= 0) pushTerm(found, text.slice(start));
  return found;
}

function pushTerm(found: string[], word: string): void {
  if (word.length >= LANCE_TEXT_INDEX.maxTokenLength) return;
  const term = terms.get(word);
  if (term !== '') found.push(term);
}

/** The term of one word; empty when the word is dropped. */
function termOf(word: string): string {
  if (Buffer.byteLength(word) >= LANCE_TEXT_INDEX.maxTokenLength) return '';
  const stem = stemEnglish(lowerCase(word));
  return STOP_WORDS.has(stem) ? '' : foldToAscii(stem);
}

/** Letter by letter, as LanceDB does: without the rule that a sigma at the end of a word becomes ς. */
function lowerCase(word: string): string {
  return word.replaceAll('Σ', 'σ').toLowerCase();
}
