import { DDSketch } from '@datadog/sketches-js';
import type { JsonValue } from '../../base/index.ts';
import { type Aggregation, type Fold, type Input, summand } from './fold.ts';

type Mapping = DDSketch['mapping'];

/**
 * Quantiles by DDSketch's logarithmic buckets, kept sparsely: an answer is within the relative error `accuracy` of the exact lower quantile, the value
 * of rank floor(q (n - 1)). Buckets are counted, so merging and retraction are exact.
 */
class PercentilesFold implements Fold {
  readonly #options: PercentilesOptions;
  /** By the mapping's key; negative numbers in a map of their own. */
  readonly #positive: Map<number, number>;
  readonly #negative: Map<number, number>;
  #zeros: number;
  #count: number;

  constructor(options: PercentilesOptions, { zeros, positive, negative }: Buckets = { zeros: 0, positive: [], negative: [] }) {
    this.#options = options;
    this.#positive = new Map(positive);
    this.#negative = new Map(negative);
    this.#zeros = zeros;
    this.#count = [...positive, ...negative].reduce((sum, [, count]) => sum + count, zeros);
  }

  add(input: Input): void {
    this.#change(input as number, 1);
  }

  retract(input: Input): void {
    this.#change(input as number, -1);
  }

  merge(other: Fold): void {
    const from = other as PercentilesFold;
    for (const [key, count] of from.#positive) change(this.#positive, key, count);
    for (const [key, count] of from.#negative) change(this.#negative, key, count);
    this.#zeros += from.#zeros;
    this.#count += from.#count;
  }

  #change(value: number, by: number): void {
    const { mapping } = this.#options;
    this.#count += by;
    if (value >= mapping.minPossible) change(this.#positive, mapping.key(value), by);
    else if (value <= -mapping.minPossible) change(this.#negative, mapping.key(-value), by);
    else this.#zeros += by;
  }

  result(): JsonValue {
    const { mapping, quantiles } = this.#options;
    const below = [...this.#negative].sort((a, b) => b[0] - a[0]).map(([key, count]) => [-mapping.value(key), count]);
    const above = [...this.#positive].sort((a, b) => a[0] - b[0]).map(([key, count]) => [mapping.value(key), count]);
    const steps = [...below, [0, this.#zeros], ...above].filter(([, count]) => count > 0);
    return quantiles.map(quantile => valueAtRank(steps, Math.floor(quantile * (this.#count - 1))));
  }

  encode(): JsonValue {
    const sorted = (map: Map<number, number>): [number, number][] => [...map].sort((a, b) => a[0] - b[0]);
    return [this.#zeros, sorted(this.#positive), sorted(this.#negative)];
  }
}

function valueAtRank(steps: number[][], rank: number): number {
  let seen = 0;
  for (const [value, count] of steps) {
    seen += count;
    if (seen > rank) return value;
  }
  return steps.at(-1)?.[0] ?? 0;
}

function change(map: Map<number, number>, key: number, by: number): void {
  const count = (map.get(key) ?? 0) + by;
  if (count === 0) map.delete(key);
  else map.set(key, count);
}

interface Buckets {
  zeros: number;
  positive: [number, number][];
  negative: [number, number][];
}

interface PercentilesOptions {
  mapping: Mapping;
  quantiles: readonly number[];
}

export function percentilesAggregation(quantiles: readonly number[], accuracy: number): Aggregation {
  const options = { mapping: new DDSketch({ relativeAccuracy: accuracy }).mapping, quantiles };
  return {
    inputOf: summand,
    create: () => new PercentilesFold(options),
    restore: encoded => {
      const [zeros, positive, negative] = encoded as [number, [number, number][], [number, number][]];
      return new PercentilesFold(options, { zeros, positive, negative });
    },
  };
}
