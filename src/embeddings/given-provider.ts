import { TailwaterError } from '../base/index.ts';
import type { EmbeddingProvider } from './provider.ts';

/** The name of the provider whose vectors come with the records. */
export const GIVEN = 'given';
const MAX_DIMENSIONS = 4096;

/**
 * Vectors that their writer computed: the embedded field is the vector itself, so its "text" is a number a line. What it makes of a text is
 * unit-length, as every provider's vectors; a zero vector stays zero, and is as far from everything as can be.
 */
export class GivenProvider implements EmbeddingProvider {
  readonly name = GIVEN;
  readonly model: string;
  readonly dimensions: number;
  readonly maxBatchTexts = 4096;
  readonly pure = true;

  /** `dimensions`: 1 to 4096. Throws TW_SETTING. */
  constructor({ model, dimensions }: { model: string; dimensions: number }) {
    if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > MAX_DIMENSIONS)
      throw new TailwaterError('TW_SETTING', {
        detail: `Given vectors have 1 to ${MAX_DIMENSIONS} dimensions, not ${dimensions}.`,
      });
    this.model = model;
    this.dimensions = dimensions;
  }

  /** Throws TW_EMBEDDING_FAILED for a text that is no vector: a query must bring one too. */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array> {
    signal?.throwIfAborted();
    const vectors = new Float32Array(texts.length * this.dimensions);
    for (const [index, text] of texts.entries()) {
      if (this.#numbers(text) === null)
        throw new TailwaterError('TW_EMBEDDING_FAILED', {
          detail: 'The vectors of this stream are given by its writers: a text cannot be embedded; give `vector`.',
        });
      this.embedInto(text, vectors, index * this.dimensions);
    }
    return vectors;
  }

  /** Records were checked when they were written; anything else gets the zero vector. */
  embedInto(text: string, out: Float32Array, at: number): void {
    const numbers = this.#numbers(text);
    if (numbers === null) return;
    const length = Math.hypot(...numbers);
    const scale = length > 0 && Number.isFinite(length) ? 1 / length : 0;
    for (const [index, number] of numbers.entries()) out[at + index] = number * scale;
  }

  #numbers(text: string): number[] | null {
    const numbers = text.split('\n').map(Number);
    return numbers.length === this.dimensions && numbers.every(Number.isFinite) ? numbers : null;
  }
}
