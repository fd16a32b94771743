import type { JsonValue } from '../../base/index.ts';
import { type Aggregation, type Fold, type Input, scalar } from './fold.ts';
import { HASH_RANGE, hash53 } from './hash53.ts';
import type { Slider } from './slider.ts';

/**
 * How many distinct values. A theta sketch: of all hashes, those below a threshold are kept with how often they came. The threshold
 * is above all of them until there are more than `bound`, so up to there the answer is exact (but for two of 2^53 hashes that are equal). Beyond,
 * the estimate has a standard error of 1/sqrt(bound - 1). Counting makes retraction exact: a hash leaves with its last event.
 */
class DistinctFold implements Fold {
  readonly #bound: number;
  readonly #counts: Map<number, number>;
  #threshold: number;

  constructor(bound: number, counts = new Map<number, number>(), threshold = HASH_RANGE) {
    this.#bound = bound;
    this.#counts = counts;
    this.#threshold = threshold;
  }

  add(input: Input): void {
    this.#change(input as number, 1);
    if (this.#counts.size > this.#bound * 1.5) this.#shrink();
  }

  retract(input: Input): void {
    this.#change(input as number, -1);
  }

  merge(other: Fold): void {
    const from = other as DistinctFold;
    if (from.#threshold < this.#threshold) this.#lower(from.#threshold);
    for (const [hash, count] of from.#counts) this.#change(hash, count);
    if (this.#counts.size > this.#bound * 1.5) this.#shrink();
  }

  #change(hash: number, by: number): void {
    if (hash >= this.#threshold) return;
    const count = (this.#counts.get(hash) ?? 0) + by;
    if (count === 0) this.#counts.delete(hash);
    else this.#counts.set(hash, count);
  }

  /** To `bound` hashes. Left to when there are half as many again, or each new hash would cost a sort. */
  #shrink(): void {
    const hashes = Float64Array.from(this.#counts.keys()).sort();
    this.#lower(hashes[this.#bound]);
  }

  #lower(threshold: number): void {
    this.#threshold = threshold;
    for (const hash of this.#counts.keys()) if (hash >= threshold) this.#counts.delete(hash);
  }

  result(): JsonValue {
    if (this.#counts.size > this.#bound) this.#shrink();
    if (this.#threshold === HASH_RANGE) return this.#counts.size;
    return Math.round((this.#counts.size * HASH_RANGE) / this.#threshold);
  }

  encode(): JsonValue {
    return [this.#threshold, [...this.#counts].sort((a, b) => a[0] - b[0]).map(([hash, count]) => [hash, count])];
  }
}

/** While no more values are there than the sketch counts exactly. */
class DistinctSlider implements Slider {
  readonly #counts = new Map<number, { times: number }>();
  #distinct = 0;

  enter(input: Input): void {
    const known = this.#counts.get(input as number);
    if (known === undefined) this.#counts.set(input as number, { times: 1 });
    else if (known.times++ > 0) return;
    this.#distinct++;
  }

  leave(input: Input): void {
    if (--this.#counts.get(input as number)!.times === 0) this.#distinct--;
  }

  result(): JsonValue {
    return this.#distinct;
  }
}

/** Rows keep hashes, so that a value is hashed once, however often it is read. */
function hashed(value: JsonValue | undefined): number | null {
  const own = scalar(value);
  return own === null ? null : hash53(own);
}

export function distinctAggregation(bound: number): Aggregation {
  return {
    inputOf: hashed,
    create: () => new DistinctFold(bound),
    slide: () => new DistinctSlider(),
    exactUpTo: bound,
    restore: encoded => {
      const [threshold, counts] = encoded as [number, [number, number][]];
      return new DistinctFold(bound, new Map(counts), threshold);
    },
  };
}
