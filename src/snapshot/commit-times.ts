/**
 * Commit times of segments, for finding the segment that a time names. Commit times rise with the segment number
 * (max(previous + 1 ms, now)). Consecutive: after a gap it begins anew. Bounded: the oldest half is dropped at `maxEntries`; older times are answered by reading the log.
 */
export class CommitTimes {
  readonly #maxEntries: number;
  #first = 0;
  #times: number[] = [];

  constructor(maxEntries = 1_000_000) {
    this.#maxEntries = maxEntries;
  }

  add(segment: number, timeMs: number): void {
    if (segment < this.#first + this.#times.length) return;
    if (segment > this.#first + this.#times.length) this.#times = [];
    if (this.#times.length === 0) this.#first = segment;
    this.#times.push(timeMs);
    if (this.#times.length > this.#maxEntries) {
      const dropped = this.#times.length >> 1;
      this.#times = this.#times.slice(dropped);
      this.#first += dropped;
    }
  }

  timeOf(segment: number): number | undefined {
    return this.#times[segment - this.#first];
  }

  /** The last segment committed at or before the time; undefined when it is not between two known ones. */
  lastAtOrBefore(timeMs: number): number | undefined {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#times[middle] <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low === 0 || low === this.#times.length ? undefined : this.#first + low - 1;
  }
}
