import type { JsonValue } from '../../base/index.ts';
import { type Aggregation, compareScalars, type Fold, type Input, type Scalar, scalar } from './fold.ts';

/**
 * How often each value came. Exact while there are at most `bound` distinct values; beyond, the counts of all are lowered together until
 * enough are zero (Misra and Gries), so that a count is at most `error()` too low and never too high.
 */
class FrequencyFold implements Fold {
  readonly #options: FrequencyOptions;
  readonly #counts: Map<Scalar, number>;
  #error: number;

  constructor(options: FrequencyOptions, counts = new Map<Scalar, number>(), error = 0) {
    this.#options = options;
    this.#counts = counts;
    this.#error = error;
  }

  add(input: Input): void {
    this.#change(input as Scalar, 1);
    if (this.#counts.size > this.#options.bound) this.#shrink();
  }

  retract(input: Input): void {
    const known = this.#counts.has(input as Scalar);
    // A value that was given up is gone from the counts already.
    if (known || this.#error === 0) this.#change(input as Scalar, -1);
  }

  merge(other: Fold): void {
    const { counts, error } = other as FrequencyFold;
    for (const [value, count] of counts) this.#change(value, count);
    this.#error += error;
    if (this.#counts.size > this.#options.bound) this.#shrink();
  }

  get counts(): ReadonlyMap<Scalar, number> {
    return this.#counts;
  }

  get error(): number {
    return this.#error;
  }

  #change(value: Scalar, by: number): void {
    const count = (this.#counts.get(value) ?? 0) + by;
    if (count === 0) this.#counts.delete(value);
    else this.#counts.set(value, count);
  }

  #shrink(): void {
    const sorted = [...this.#counts.values()].sort((a, b) => b - a);
    const cut = Math.max(0, sorted[this.#options.bound]);
    this.#error += cut;
    for (const [value, count] of this.#counts) {
      if (count <= cut) this.#counts.delete(value);
      else this.#counts.set(value, count - cut);
    }
  }

  result(): JsonValue {
    const { top } = this.#options;
    if (top === null) return this.#named();
    const entries = [...this.#counts].filter(([, count]) => count > 0);
    entries.sort((a, b) => b[1] - a[1] || compareScalars(a[0], b[0]));
    return entries.slice(0, top).map(([value, count]) => ({ value, count }));
  }

  /** By the text of each value; 1 and "1" are one name. */
  #named(): JsonValue {
    const named = new Map<string, number>();
    for (const [value, count] of this.#counts) named.set(String(value), (named.get(String(value)) ?? 0) + count);
    return Object.fromEntries([...named].sort((a, b) => compareScalars(a[0], b[0])));
  }

  encode(): JsonValue {
    return [this.#error, [...this.#counts].sort((a, b) => compareScalars(a[0], b[0])).map(([value, count]) => [value, count])];
  }
}

interface FrequencyOptions {
  bound: number;
  /** How many of the most frequent values the answer lists; null: an object of all counts. */
  top: number | null;
}

/** The most frequent values with their counts, equal counts in the order of the values; or the counts of all values. */
export function frequencyAggregation(options: FrequencyOptions): Aggregation {
  return {
    inputOf: scalar,
    create: () => new FrequencyFold(options),
    exactUpTo: options.bound,
    restore: encoded => {
      const [error, counts] = encoded as [number, [Scalar, number][]];
      return new FrequencyFold(options, new Map(counts), error);
    },
  };
}

class HistogramFold implements Fold {
  readonly #boundaries: readonly number[];
  readonly #counts: number[];

  constructor(boundaries: readonly number[], counts: number[] = new Array<number>(boundaries.length + 1).fill(0)) {
    this.#boundaries = boundaries;
    this.#counts = counts;
  }

  add(input: Input): void {
    this.#counts[this.#bucketOf(input as number)]++;
  }

  retract(input: Input): void {
    this.#counts[this.#bucketOf(input as number)]--;
  }

  merge(other: Fold): void {
    (other as HistogramFold).#counts.forEach((count, bucket) => {
      this.#counts[bucket] += count;
    });
  }

  #bucketOf(value: number): number {
    let bucket = 0;
    while (bucket < this.#boundaries.length && value >= this.#boundaries[bucket]) bucket++;
    return bucket;
  }

  result(): JsonValue {
    return [...this.#counts];
  }

  encode(): JsonValue {
    return [...this.#counts];
  }
}

/** Counts per bucket: below the first boundary, from each boundary to below the next, from the last on. */
export function histogramAggregation(boundaries: readonly number[]): Aggregation {
  return {
    inputOf: value => (typeof value === 'number' ? value : null),
    create: () => new HistogramFold(boundaries),
    restore: encoded => new HistogramFold(boundaries, [...(encoded as number[])]),
  };
}
