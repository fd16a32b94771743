import type { Input } from './fold.ts';
import { type RangeSum, rangeSums, type Totals } from './range-sums.ts';

/** One input of the rows of one entity, in the order of time: what every feature of that input shares. */
export class InputSlice {
  /** NaN where the row does not count; null: there is something else than numbers. */
  readonly numbers: Float64Array | null;
  readonly #values: readonly (Input | null)[];
  readonly size: number;
  /** By row, how many before it count; null: all do. */
  readonly #before: Int32Array | null;
  readonly #totals: Totals;
  #sums: RangeSum | null | undefined;

  /** `totals` are shared with the slices of other entities, which are used up one after another. `complete`: all rows count. */
  constructor(input: Float64Array | readonly (Input | null)[], totals: Totals, complete: boolean) {
    this.numbers = input instanceof Float64Array ? input : null;
    this.#values = input instanceof Float64Array ? [] : input;
    this.size = input.length;
    this.#totals = totals;
    this.#before = complete ? null : this.#countBefore();
  }

  #countBefore(): Int32Array | null {
    const before = new Int32Array(this.size + 1);
    for (let row = 0; row < this.size; row++) before[row + 1] = before[row] + (this.counts(row) ? 1 : 0);
    return before[this.size] === this.size ? null : before;
  }

  counts(row: number): boolean {
    if (this.numbers === null) return this.#values[row] !== null;
    return !Number.isNaN(this.numbers[row]);
  }

  at(row: number): Input | null {
    if (this.numbers === null) return this.#values[row];
    return this.counts(row) ? this.numbers[row] : null;
  }

  /** How many of the rows [from, to) count. */
  countIn(from: number, to: number): number {
    if (from >= to) return 0;
    return this.#before === null ? to - from : this.#before[to] - this.#before[from];
  }

  /** The last row before this one that counts; -1: none. */
  lastBefore(row: number): number {
    if (this.#before === null) return row - 1;
    // The last place with fewer before it.
    let low = 0;
    let high = row;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#before[middle] < this.#before[row]) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Sums of ranges; null where they cannot be had exactly so. */
  sums(): RangeSum | null {
    if (this.#sums === undefined) this.#sums = this.numbers === null ? null : rangeSums(this.numbers, this.#totals);
    return this.#sums;
  }
}
