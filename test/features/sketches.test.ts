import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { createAggregation } from '../../src/features/aggregate/create.ts';
import type { Fold } from '../../src/features/aggregate/fold.ts';
import type { MeasureDefinition } from '../../src/features/index.ts';

/** Added in one go, and merged of parts, some of them encoded and restored. */
function twoWays(measure: MeasureDefinition, values: readonly (string | number)[]): [Fold, Fold] {
  const aggregation = createAggregation(measure);
  const whole = aggregation.create();
  const inputs = values.map(value => aggregation.inputOf(value)!);
  inputs.forEach((input, index) => {
    whole.add(input, index, index);
  });
  let parts = aggregation.create();
  for (let at = 0; at < inputs.length; at += 777) {
    const part = aggregation.create();
    inputs.slice(at, at + 777).forEach((input, index) => {
      part.add(input, at + index, at + index);
    });
    parts.merge(part);
    parts = aggregation.restore(JSON.parse(JSON.stringify(parts.encode())));
  }
  return [whole, parts];
}

describe('a count of distinct values', () => {
  test('is exact up to its bound', () => {
    const values = Array.from({ length: 4096 * 3 }, (_, index) => `value ${index % 4096}`);
    for (const fold of twoWays({ aggregate: 'count_distinct', field: 'v' }, values)) expect(fold.result(0)).toBe(4096);
  });

  test('is within four standard errors beyond, and does not depend on how it was split', () => {
    const errors = Array.from({ length: 20 }, (_, run) => {
      const values = Array.from({ length: 20_000 }, (_, index) => `${run}/${index}`);
      const [whole, parts] = twoWays({ aggregate: 'count_distinct', field: 'v', exactUpTo: 1024 }, values);
      expect(parts.result(0)).toBe(whole.result(0));
      return ((whole.result(0) as number) - 20_000) / 20_000;
    });
    const standardError = 1 / Math.sqrt(1023);
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(4 * standardError);
    const spread = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
    expect(spread).toBeLessThan(1.6 * standardError);
  });

  test('forgets what is taken out', () => {
    const aggregation = createAggregation({ aggregate: 'count_distinct', field: 'v' });
    const fold = aggregation.create();
    for (const value of ['a', 'b', 'b', 'c']) fold.add(aggregation.inputOf(value)!, 0, 0);
    for (const value of ['b', 'c', 'c']) fold.retract!(aggregation.inputOf(value)!, 0, 0);
    fold.add(aggregation.inputOf('c')!, 0, 0);
    expect(fold.result(0)).toBe(2);
  });
});

describe('the most frequent values', () => {
  test('are at most the stated error too low beyond the bound, never too high', () => {
    const random = seededRandom(7);
    const values = Array.from({ length: 50_000 }, () => Math.floor(2 ** (random.float() * 12)));
    const exact = Map.groupBy(values, value => value);
    const bound = 100;
    for (const fold of twoWays({ aggregate: 'top_k', field: 'v', n: 20, exactUpTo: bound }, values)) {
      const top = fold.result(0) as { value: number; count: number }[];
      expect(top).toHaveLength(20);
      for (const { value, count } of top) {
        const truth = exact.get(value)!.length;
        expect(count).toBeLessThanOrEqual(truth);
        expect(truth - count).toBeLessThanOrEqual(values.length / (bound + 1));
      }
    }
  });
});

describe('percentiles', () => {
  test('are within the relative error of the exact ones, however they were split', () => {
    const random = seededRandom(9);
    const values = Array.from({ length: 30_000 }, () => (random.float() - 0.3) * 10 ** (random.float() * 12 - 6));
    const quantiles = [0, 0.01, 0.25, 0.5, 0.75, 0.99, 1];
    const [whole, parts] = twoWays({ aggregate: 'percentiles', field: 'v', quantiles, accuracy: 0.02 }, values);
    const rising = values.toSorted((a, b) => a - b);
    const answers = whole.result(0) as number[];
    expect(parts.result(0)).toEqual(answers);
    quantiles.forEach((quantile, index) => {
      const exact = rising[Math.floor(quantile * (values.length - 1))];
      expect(Math.abs(answers[index] - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.0200001);
    });
  });
});
