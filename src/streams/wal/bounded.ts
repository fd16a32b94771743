/**
 * A map that remembers in which order its entries were last set, and forgets from the front. Everything it decides depends on its content
 * alone, so replicas that apply the same entries forget the same ones.
 */
export class RecencyMap<K, V> {
  readonly #entries = new Map<K, V>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  /** Makes the entry the newest one. */
  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  /** Oldest first. */
  entries(): Iterable<[K, V]> {
    return this.#entries;
  }

  /** Removes entries from the oldest on for as long as `expired` says so; returns the removed ones. */
  trim(expired: (value: V, size: number) => boolean): V[] {
    const removed: V[] = [];
    for (const [key, value] of this.#entries) {
      if (!expired(value, this.#entries.size)) break;
      this.#entries.delete(key);
      removed.push(value);
    }
    return removed;
  }
}
