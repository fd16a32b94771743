import type { JsonValue } from '../../base/index.ts';
import { ExactSum } from './exact-sum.ts';
import { type Aggregation, type Fold, type Input, summand } from './fold.ts';

/** Events that are older by so many half-lives weigh nothing: in a sum, than now; in a mean, where only ratios count, than the newest. */
const MAX_HALF_LIVES = 500;

interface DecayOptions {
  halfLifeMs: number;
  /** Divided by the sum of the weights. */
  mean: boolean;
}

/** Sums of one half-life period since the epoch, of values scaled by 2^(fraction of the period). */
interface Period {
  values: ExactSum;
  weights: ExactSum;
}

/**
 * A sum in which an event weighs 2^(-age / half-life). An event at time t is scaled once by 2^frac(t / half-life); whole half-lives are powers of two, which scale
 * without rounding. So, as with plain sums, neither order nor splits change the result.
 */
class DecayedFold implements Fold {
  readonly #options: DecayOptions;
  readonly #periods = new Map<number, Period>();

  constructor(options: DecayOptions) {
    this.#options = options;
  }

  add(input: Input, timeMs: number): void {
    this.#change(input as number, timeMs, 1);
  }

  retract(input: Input, timeMs: number): void {
    this.#change(input as number, timeMs, -1);
  }

  merge(other: Fold): void {
    for (const [number, { values, weights }] of (other as DecayedFold).#periods) {
      const period = this.#period(number);
      period.values.addSum(values);
      period.weights.addSum(weights);
    }
  }

  restorePeriod(number: number, values: readonly number[], weights: readonly number[]): void {
    this.#periods.set(number, { values: ExactSum.of(values), weights: ExactSum.of(weights) });
  }

  #change(value: number, timeMs: number, sign: number): void {
    const { halfLifeMs } = this.#options;
    const number = Math.floor(timeMs / halfLifeMs);
    const weight = 2 ** this.#fraction(timeMs, number);
    const period = this.#period(number);
    period.values.add(sign * (value * weight));
    period.weights.add(sign * weight);
    if (period.weights.value() === 0) this.#periods.delete(number);
  }

  /** Of a whole number of ms, so that the difference is exact: dividing first would lose digits. */
  #fraction(timeMs: number, period: number): number {
    return (timeMs - period * this.#options.halfLifeMs) / this.#options.halfLifeMs;
  }

  #period(number: number): Period {
    const known = this.#periods.get(number);
    if (known !== undefined) return known;
    const period = { values: new ExactSum(), weights: new ExactSum() };
    this.#periods.set(number, period);
    return period;
  }

  result(atMs: number): JsonValue {
    const { halfLifeMs, mean } = this.#options;
    const now = Math.floor(atMs / halfLifeMs);
    const reference = mean ? this.#newest() : now;
    const values = new ExactSum();
    const weights = new ExactSum();
    for (const [number, period] of this.#periods) {
      if (reference - number > MAX_HALF_LIVES) continue;
      const scale = 2 ** (number - reference);
      for (const part of period.values.parts()) values.add(part * scale);
      for (const part of period.weights.parts()) weights.add(part * scale);
    }
    if (mean) return weights.value() === 0 ? null : values.value() / weights.value();
    return values.value() * 2 ** -this.#fraction(atMs, now);
  }

  forget(sinceMs: number): void {
    const since = Math.floor(sinceMs / this.#options.halfLifeMs);
    const first = (this.#options.mean ? Math.min(since, this.#newest()) : since) - MAX_HALF_LIVES;
    for (const number of this.#periods.keys()) if (number < first) this.#periods.delete(number);
  }

  #newest(): number {
    let newest = Number.NEGATIVE_INFINITY;
    for (const number of this.#periods.keys()) if (number > newest) newest = number;
    return newest;
  }

  encode(): JsonValue {
    return [...this.#periods]
      .sort((a, b) => a[0] - b[0])
      .map(([number, { values, weights }]) => [number, values.parts(), weights.parts()]);
  }
}

export function decayedAggregation(options: DecayOptions): Aggregation {
  return {
    inputOf: summand,
    create: () => new DecayedFold(options),
    ages: true,
    restore: encoded => {
      const fold = new DecayedFold(options);
      for (const [number, values, weights] of encoded as [number, number[], number[]][]) {
        fold.restorePeriod(number, values, weights);
      }
      return fold;
    },
  };
}
