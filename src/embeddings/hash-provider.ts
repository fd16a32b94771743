import { TailwaterError } from '../base/index.ts';
import { TextHasher } from './hash/text-hasher.ts';
import type { EmbeddingProvider } from './provider.ts';

const HASH_MODEL = 'hash-v1';
const DEFAULT_DIMENSIONS = 384;
const MAX_DIMENSIONS = 4096;

/**
 * Embeddings without a model: deterministic feature hashing. Honest about being lexical: texts are near when they share
 * words or parts of words. The vectors of `hash-v1` never change; other weights would be another model name.
 */
export class HashProvider implements EmbeddingProvider {
  readonly name = 'hash';
  readonly model = HASH_MODEL;
  readonly dimensions: number;
  readonly maxBatchTexts = 4096;
  readonly pure = true;
  readonly #hasher: TextHasher;

  /** `dimensions`: 8 to 4096, default 384. Throws TW_SETTING. */
  constructor(options: { dimensions?: number } = {}) {
    const dimensions = options.dimensions ?? DEFAULT_DIMENSIONS;
    if (!Number.isInteger(dimensions) || dimensions < 8 || dimensions > MAX_DIMENSIONS) {
      throw new TailwaterError('TW_SETTING', {
        detail: `The hash provider makes 8 to ${MAX_DIMENSIONS} dimensions, not ${dimensions}.`,
      });
    }
    this.dimensions = dimensions;
    this.#hasher = new TextHasher(dimensions);
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array> {
    signal?.throwIfAborted();
    const vectors = new Float32Array(texts.length * this.dimensions);
    for (let index = 0; index < texts.length; index++) this.embedInto(texts[index], vectors, index * this.dimensions);
    return vectors;
  }

  embedInto(text: string, out: Float32Array, at: number): void {
    this.#hasher.hashInto(text, out, at);
  }
}
