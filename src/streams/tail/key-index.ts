import { grownTo } from './growable.ts';
import { CHUNK_ROWS } from './row-flags.ts';

const GENERATION_ROWS = 8 * CHUNK_ROWS;

/**
 * The newest row of each key, in generations of rows so that trimming drops whole maps instead of deleting key by key. Within a
 * generation every row links to the one before it of the same key, which is how an older cut finds its newest row.
 */
export class KeyGeneration {
  readonly firstOrdinal: number;
  /** Key bytes as latin1 -> newest ordinal. */
  readonly #newest = new Map<string, number>();
  /** Per row of the generation: distance to the row before it of its key; 0: none here. */
  #distances = new Uint32Array(0);

  private constructor(firstOrdinal: number) {
    this.firstOrdinal = firstOrdinal;
  }

  /** An empty generation that covers the ordinal. */
  static holding(ordinal: number): KeyGeneration {
    return new KeyGeneration(ordinal - (ordinal % GENERATION_ROWS));
  }

  get endOrdinal(): number {
    return this.firstOrdinal + GENERATION_ROWS;
  }

  get keys(): number {
    return this.#newest.size;
  }

  put(key: string, ordinal: number): void {
    const row = ordinal - this.firstOrdinal;
    this.#distances = grownTo(this.#distances, row + 1, GENERATION_ROWS);
    const before = this.#newest.get(key);
    if (before !== undefined) this.#distances[row] = ordinal - before;
    this.#newest.set(key, ordinal);
  }

  /** The newest row of the key below `endOrdinal`; -1: none in this generation. */
  find(key: string, endOrdinal: number): number {
    let ordinal = this.#newest.get(key) ?? -1;
    while (ordinal >= endOrdinal) {
      const distance = this.#distances[ordinal - this.firstOrdinal];
      if (distance === 0) return -1;
      ordinal -= distance;
    }
    return ordinal;
  }
}

/** The newest row of the key in [firstOrdinal, endOrdinal); -1: none. Generations are oldest first. */
export function findKey(generations: readonly KeyGeneration[], key: string, firstOrdinal: number, endOrdinal: number): number {
  for (let index = generations.length - 1; index >= 0; index--) {
    const generation = generations[index];
    if (generation.endOrdinal <= firstOrdinal) return -1;
    const ordinal = generation.find(key, endOrdinal);
    if (ordinal >= 0) return ordinal >= firstOrdinal ? ordinal : -1;
  }
  return -1;
}
