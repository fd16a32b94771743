import type { EmbeddingProvider } from '../provider.ts';
import { addFeature, hashUnits, mixWords } from './features.ts';
import { COMMON_WORDS, STOP_WORDS } from './vocabulary.ts';
import { isOwnWord, WordScanner } from './words.ts';

export const HASH_MODEL = 'hash-v1';
export const DEFAULT_HASH_DIMENSIONS = 384;

/** Later text does not count: a bound on the work and the buffers. */
const MAX_UNITS = 65_536;
/** Words are compared by their first letters, which does much of a stemmer's work. */
const PREFIX_UNITS = 6;
const MIN_GRAM = 4;
const MAX_GRAM = 5;
const GRAM_WEIGHT = 1;
const BIGRAM_WEIGHT = 0.2;
/** Of a pair of characters in scripts without spaces, where pairs are what words are elsewhere. */
const OWN_WORD_BIGRAM_WEIGHT = 1;
const COMMON_WEIGHT = 0.3;
const SHORT_WEIGHT = 0.6;

const PREFIX_SEED = 0x70;
const GRAM_SEED = 0x67;
const BOUNDARY = 0x20;

const PRIORS = wordPriors();

/**
 * Deterministic feature hashing (Weinberger et al. 2009) of word beginnings, word pairs and character n-grams with signs,
 * sublinear term frequencies and a static prior for frequent English words; unit length. It needs no model and is honest about
 * being lexical: texts are near when they share words or parts of words. Not to be called from two threads at once.
 */
export class HashProvider implements EmbeddingProvider {
  readonly name = 'hash';
  readonly model = HASH_MODEL;
  readonly dimensions: number;
  readonly maxBatchTexts = 4096;
  readonly pure = true;
  readonly #scanner = new WordScanner(MAX_UNITS);
  readonly #counts = new WordCounts();
  readonly #sums: Float64Array;

  /** `dimensions`: default 384. */
  constructor(options: { dimensions?: number } = {}) {
    this.dimensions = options.dimensions ?? DEFAULT_HASH_DIMENSIONS;
    this.#sums = new Float64Array(this.dimensions);
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array> {
    signal?.throwIfAborted();
    const out = new Float32Array(texts.length * this.dimensions);
    for (let index = 0; index < texts.length; index++) this.embedInto(texts[index], out, index * this.dimensions);
    return out;
  }

  embedInto(text: string, out: Float32Array, at: number): void {
    const words = this.#scanner.scan(text);
    this.#sums.fill(0);
    this.#addWords(words, 0);
    this.#addBigrams(words);
    if (this.#normaliseInto(out, at)) return;
    this.#addWords(words, 1);
    if (this.#normaliseInto(out, at)) return;
    this.#addText(text);
    this.#normaliseInto(out, at);
  }
}
