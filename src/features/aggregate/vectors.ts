import type { JsonValue } from '../../base/index.ts';
import { ExactSum } from './exact-sum.ts';
import { type Aggregation, type Fold, type Input, summand } from './fold.ts';

interface VectorOptions {
  dimensions: number;
  mean: boolean;
}

/** Sums element by element, each exact. */
class VectorFold implements Fold {
  readonly #options: VectorOptions;
  readonly #sums: ExactSum[];
  #count: number;

  constructor(options: VectorOptions, sums = Array.from({ length: options.dimensions }, () => new ExactSum()), count = 0) {
    this.#options = options;
    this.#sums = sums;
    this.#count = count;
  }

  add(input: Input): void {
    (input as number[]).forEach((value, index) => {
      this.#sums[index].add(value);
    });
    this.#count++;
  }

  retract(input: Input): void {
    (input as number[]).forEach((value, index) => {
      this.#sums[index].add(-value);
    });
    this.#count--;
  }

  merge(other: Fold): void {
    const from = other as VectorFold;
    for (const [index, sum] of from.#sums.entries()) this.#sums[index].addSum(sum);
    this.#count += from.#count;
  }

  result(): JsonValue {
    return this.#sums.map(sum => (this.#options.mean ? sum.value() / this.#count : sum.value()));
  }

  encode(): JsonValue {
    return [this.#count, ...this.#sums.map(sum => sum.parts())];
  }
}

/** A value counts when it is a list of exactly `dimensions` numbers. */
export function vectorAggregation(options: VectorOptions): Aggregation {
  return {
    inputOf: value =>
      Array.isArray(value) && value.length === options.dimensions && value.every(element => summand(element) !== null)
        ? value
        : null,
    create: () => new VectorFold(options),
    restore: encoded => {
      const [count, ...sums] = encoded as [number, ...number[][]];
      return new VectorFold(
        options,
        sums.map(parts => ExactSum.of(parts)),
        count,
      );
    },
  };
}
