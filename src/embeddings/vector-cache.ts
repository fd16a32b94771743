import { createHash } from 'node:crypto';

/** Vectors by content hash, least recently used out first, in one block of memory. */
export class VectorCache {
  readonly #dimensions: number;
  readonly #maxEntries: number;
  readonly #slots = new Map<string, number>();
  #block: Float32Array;

  constructor(dimensions: number, maxEntries: number) {
    this.#dimensions = dimensions;
    this.#maxEntries = maxEntries;
    this.#block = new Float32Array(Math.min(maxEntries, 256) * dimensions);
  }

  get size(): number {
    return this.#slots.size;
  }

  static keyOf(text: string): string {
    return createHash('sha256').update(text).digest('base64');
  }

  get(key: string): Float32Array | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    this.#slots.delete(key);
    this.#slots.set(key, slot);
    return this.#block.subarray(slot * this.#dimensions, (slot + 1) * this.#dimensions);
  }

  set(key: string, vector: Float32Array): void {
    const slot = this.#slots.get(key) ?? this.#freeSlot();
    this.#slots.delete(key);
    this.#slots.set(key, slot);
    this.#block.set(vector, slot * this.#dimensions);
  }

  #freeSlot(): number {
    if (this.#slots.size >= this.#maxEntries) {
      const [oldest, slot] = this.#slots.entries().next().value!;
      this.#slots.delete(oldest);
      return slot;
    }
    const slot = this.#slots.size;
    if ((slot + 1) * this.#dimensions > this.#block.length) {
      const grown = new Float32Array(Math.min(this.#maxEntries, slot * 2) * this.#dimensions);
      grown.set(this.#block);
      this.#block = grown;
    }
    return slot;
  }
}
