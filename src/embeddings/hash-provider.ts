import { COMMON_WORDS, STOP_WORDS } from './plain-words.ts';
import type { EmbeddingProvider } from './provider.ts';

const DEFAULT_DIMENSIONS = 384;
/** Longer words count by their beginning: a cheap stem. */
const PREFIX_CHARS = 6;
const SHORTEST_GRAM = 4;
const LONGEST_GRAM = 5;
const COMMON_WORD_WEIGHT = 0.3;
const MAX_CACHED_WORDS = 32_768;
const MAX_WORD_CHARS = 64;
const WORDS = /[\p{L}\p{N}]+/gu;

/** The features of one word: places in the vector with signed weights. */
interface WordFeatures {
  places: Uint16Array;
  weights: Float32Array;
}

/**
 * Deterministic feature hashing of words and character n-grams (Weinberger et al. 2009): needs nothing, learns nothing, and is honest about
 * being lexical. Words weigh 1 + ln(tf); stop words nothing, words common in any prose less. Unit length; a text without words is the zero vector.
 */
export class HashProvider implements EmbeddingProvider {
  readonly name = 'hash';
  readonly model = 'hash-v1';
  readonly dimensions: number;
  readonly maxBatchTexts = 1024;
  readonly pure = true;
  readonly #features = new Map<string, WordFeatures | null>();
  readonly #counts = new Map<string, number>();

  /** `dimensions` defaults to 384. */
  constructor(options: { dimensions?: number } = {}) {
    this.dimensions = options.dimensions ?? DEFAULT_DIMENSIONS;
  }

  async embed(texts: readonly string[]): Promise<Float32Array> {
    const vectors = new Float32Array(texts.length * this.dimensions);
    for (const [index, text] of texts.entries()) this.embedInto(text, vectors, index * this.dimensions);
    return vectors;
  }

  embedInto(text: string, out: Float32Array, at: number): void {
    const counts = this.#counts;
    counts.clear();
    for (const [word] of text.toLowerCase().matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
    out.fill(0, at, at + this.dimensions);
    for (const [word, count] of counts) this.#addWord(word, count === 1 ? 1 : 1 + Math.log(count), out, at);
    normalize(out, at, this.dimensions);
  }

  #addWord(word: string, weight: number, out: Float32Array, at: number): void {
    const features = this.#featuresOf(word);
    if (features === null) return;
    const { places, weights } = features;
    for (let index = 0; index < places.length; index++) out[at + places[index]] += weights[index] * weight;
  }

  #featuresOf(word: string): WordFeatures | null {
    let features = this.#features.get(word);
    if (features === undefined) {
      features = STOP_WORDS.has(word) ? null : wordFeatures(word.slice(0, MAX_WORD_CHARS), this.dimensions);
      if (this.#features.size >= MAX_CACHED_WORDS) this.#features.clear();
      this.#features.set(word, features);
    }
    return features;
  }
}

/** The word's prefix, and its n-grams with boundaries sharing the same weight again. */
function wordFeatures(word: string, dimensions: number): WordFeatures {
  const bounded = `$${word}$`;
  const hashes = [hashOf(word, 0, Math.min(word.length, PREFIX_CHARS), 0x70)];
  for (let length = SHORTEST_GRAM; length <= LONGEST_GRAM; length++) {
    for (let start = 0; start + length <= bounded.length; start++) hashes.push(hashOf(bounded, start, start + length, 0x67));
  }
  const wordWeight = COMMON_WORDS.has(word) ? COMMON_WORD_WEIGHT : 1;
  const gramWeight = wordWeight / Math.sqrt(Math.max(1, hashes.length - 1));
  return {
    places: Uint16Array.from(hashes, hash => (hash >>> 1) % dimensions),
    weights: Float32Array.from(hashes, (hash, index) => (hash & 1 ? 1 : -1) * (index === 0 ? wordWeight : gramWeight)),
  };
}

/** FNV-1a over UTF-16 units with a final mix (murmur3's fmix32); `kind` keeps prefixes and n-grams apart. */
function hashOf(text: string, start: number, end: number, kind: number): number {
  let hash = Math.imul(0x811c9dc5 ^ kind, 0x01000193);
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function normalize(out: Float32Array, at: number, dimensions: number): void {
  let sum = 0;
  for (let index = at; index < at + dimensions; index++) sum += out[index] * out[index];
  if (sum === 0) return;
  const scale = 1 / Math.sqrt(sum);
  for (let index = at; index < at + dimensions; index++) out[index] *= scale;
}
