/**
 * What each word becomes, bounded by two generations: when the young one is full it becomes the old one, so words in use survive
 * and the rest is dropped without bookkeeping per word.
 */
export class TermCache {
  readonly #maxWords: number;
  readonly #derive: (word: string) => string;
  #young = new Map<string, string>();
  #old = new Map<string, string>();

  /** Holds at most twice `maxWords` words. */
  constructor(maxWords: number, derive: (word: string) => string) {
    this.#maxWords = maxWords;
    this.#derive = derive;
  }

  get(word: string): string {
    return this.#young.get(word) ?? this.#promote(word);
  }

  #promote(word: string): string {
    const known = this.#old.get(word);
    const term = known ?? this.#derive(word);
    if (this.#young.size >= this.#maxWords) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(detached(word), term === word ? word : detached(term));
    return term;
  }
}

/** A copy with memory of its own: V8 keeps the whole text alive for a slice of it. */
function detached(text: string): string {
  const encoding = /[^\0-\xff]/.test(text) ? 'utf16le' : 'latin1';
  return Buffer.from(text, encoding).toString(encoding);
}
