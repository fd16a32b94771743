import type { JsonValue } from '../../base/index.ts';
import { ExactSum } from './exact-sum.ts';
import { type Aggregation, type Fold, finite, type Input, presence, summand } from './fold.ts';
import { ExtremeSlider } from './slider.ts';

class CountFold implements Fold {
  #count: number;

  constructor(count = 0) {
    this.#count = count;
  }

  add(): void {
    this.#count++;
  }

  retract(): void {
    this.#count--;
  }

  merge(other: Fold): void {
    this.#count += (other as CountFold).#count;
  }

  result(): JsonValue {
    return this.#count;
  }

  encode(): JsonValue {
    return this.#count;
  }
}

export function countAggregation(): Aggregation {
  return {
    inputOf: presence,
    create: () => new CountFold(),
    ranges: input => (from, to) => input.countIn(from, to),
    restore: encoded => new CountFold(encoded as number),
  };
}

class SumFold implements Fold {
  readonly #sum: ExactSum;
  readonly #mean: boolean;
  #count: number;

  constructor(mean: boolean, sum = new ExactSum(), count = 0) {
    this.#mean = mean;
    this.#sum = sum;
    this.#count = count;
  }

  add(input: Input): void {
    this.#sum.add(input as number);
    this.#count++;
  }

  retract(input: Input): void {
    this.#sum.add(-(input as number));
    this.#count--;
  }

  merge(other: Fold): void {
    this.#sum.addSum((other as SumFold).#sum);
    this.#count += (other as SumFold).#count;
  }

  result(): JsonValue {
    return this.#mean ? this.#sum.value() / this.#count : this.#sum.value();
  }

  encode(): JsonValue {
    return [this.#count, ...this.#sum.parts()];
  }
}

/** The exact sum, rounded once; the mean is that divided by the count. */
export function sumAggregation(mean: boolean): Aggregation {
  return {
    inputOf: summand,
    create: () => new SumFold(mean),
    ranges: input => {
      const sums = input.sums();
      if (sums === null || !mean) return sums;
      return (from, to) => sums(from, to) / input.countIn(from, to);
    },
    restore: encoded => {
      const [count, ...parts] = encoded as number[];
      return new SumFold(mean, ExactSum.of(parts), count);
    },
  };
}

interface VarianceOptions {
  population: boolean;
  root: boolean;
}

class VarianceFold implements Fold {
  readonly #options: VarianceOptions;
  readonly #sum: ExactSum;
  readonly #squares: ExactSum;
  #count: number;

  constructor(options: VarianceOptions, sum = new ExactSum(), squares = new ExactSum(), count = 0) {
    this.#options = options;
    this.#sum = sum;
    this.#squares = squares;
    this.#count = count;
  }

  add(input: Input): void {
    this.#sum.add(input as number);
    this.#squares.addProduct(input as number, input as number);
    this.#count++;
  }

  retract(input: Input): void {
    this.#sum.add(-(input as number));
    this.#squares.addProduct(-(input as number), input as number);
    this.#count--;
  }

  merge(other: Fold): void {
    this.#sum.addSum((other as VarianceFold).#sum);
    this.#squares.addSum((other as VarianceFold).#squares);
    this.#count += (other as VarianceFold).#count;
  }

  /** n Σx² - (Σx)² without rounding, so that nothing is lost where the values are close to each other. */
  result(): JsonValue {
    const { population, root } = this.#options;
    const divisor = this.#count * (population ? this.#count : this.#count - 1);
    if (divisor === 0) return null;
    const spread = new ExactSum();
    for (const part of this.#squares.parts()) spread.addProduct(part, this.#count);
    const parts = this.#sum.parts();
    for (const a of parts) for (const b of parts) spread.addProduct(-a, b);
    const variance = Math.max(0, spread.value()) / divisor;
    return root ? Math.sqrt(variance) : variance;
  }

  encode(): JsonValue {
    return [this.#count, this.#sum.parts(), this.#squares.parts()];
  }
}

export function varianceAggregation(options: VarianceOptions): Aggregation {
  return {
    inputOf: summand,
    create: () => new VarianceFold(options),
    restore: encoded => {
      const [count, sum, squares] = encoded as [number, number[], number[]];
      return new VarianceFold(options, ExactSum.of(sum), ExactSum.of(squares), count);
    },
  };
}

class ExtremeFold implements Fold {
  readonly #sign: number;
  #value: number | null;

  constructor(sign: number, value: number | null = null) {
    this.#sign = sign;
    this.#value = value;
  }

  add(input: Input): void {
    const value = input as number;
    if (this.#value === null || (value - this.#value) * this.#sign > 0) this.#value = value;
  }

  merge(other: Fold): void {
    const { value } = other as ExtremeFold;
    if (value !== null) this.add(value);
  }

  get value(): number | null {
    return this.#value;
  }

  result(): JsonValue {
    return this.#value;
  }

  encode(): JsonValue {
    return this.#value;
  }
}

export function extremeAggregation(which: 'min' | 'max'): Aggregation {
  const sign = which === 'max' ? 1 : -1;
  return {
    inputOf: finite,
    create: () => new ExtremeFold(sign),
    slide: () => new ExtremeSlider(sign),
    restore: encoded => new ExtremeFold(sign, encoded as number | null),
  };
}
