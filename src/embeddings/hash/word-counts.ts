/**
 * Counts words by their 32-bit hashes in an open-addressing table that is reused from text to text: a generation number
 * per slot stands in for clearing it.
 */
export class WordCounts {
  readonly #hashes: Int32Array;
  readonly #generations: Int32Array;
  readonly #slots: Int32Array;
  #generation = 0;
  #mask = 0;
  /** Per distinct word, in order of first appearance. */
  readonly counts: Int32Array;
  readonly firstWords: Int32Array;
  distinct = 0;

  constructor(maxWords: number) {
    const capacity = tableSize(maxWords);
    this.#hashes = new Int32Array(capacity);
    this.#generations = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity);
    this.counts = new Int32Array(maxWords);
    this.firstWords = new Int32Array(maxWords);
  }

  /** Begins a text of at most this many words. A small text uses a small part of the table, which stays in the processor's cache. */
  reset(words: number): void {
    this.distinct = 0;
    this.#mask = tableSize(words) - 1;
    this.#generation++;
    if (this.#generation === 0x7fff_ffff) {
      this.#generations.fill(0);
      this.#generation = 1;
    }
  }

  add(hash: number, word: number): void {
    let slot = hash & this.#mask;
    while (this.#generations[slot] === this.#generation) {
      if (this.#hashes[slot] === (hash | 0)) {
        this.counts[this.#slots[slot]]++;
        return;
      }
      slot = (slot + 1) & this.#mask;
    }
    this.#generations[slot] = this.#generation;
    this.#hashes[slot] = hash;
    this.#slots[slot] = this.distinct;
    this.counts[this.distinct] = 1;
    this.firstWords[this.distinct++] = word;
  }
}

function tableSize(words: number): number {
  return 2 ** Math.max(6, Math.ceil(Math.log2(words * 2 + 1)));
}
