import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExactSum } from '../../src/features/aggregate/exact-sum.ts';
import { exactSum, toDouble, toExact } from './oracle-numbers.ts';

const summand = fc.oneof(
  fc.double({ noNaN: true, min: -1e140, max: 1e140 }),
  fc.integer({ min: -1000, max: 1000 }),
  fc.constantFrom(1e16, -1e16, 1e100, -1e100, 2 ** 53 + 2, 0.1, -0.1, 5e-324, 2 ** -53, 1, 2 ** -105),
);

function sumOf(values: readonly number[]): ExactSum {
  const sum = new ExactSum();
  for (const value of values) sum.add(value);
  return sum;
}

describe('an exact sum', () => {
  test('is the sum of whole numbers of the smallest double, rounded once', () => {
    fc.assert(
      fc.property(fc.array(summand, { maxLength: 60 }), values => {
        expect(sumOf(values).value()).toBe(toDouble(exactSum(values)) + 0);
      }),
      { numRuns: 2000 },
    );
  });

  test('does not depend on how the summands are split, merged and taken out again', () => {
    fc.assert(
      fc.property(fc.array(summand, { maxLength: 40 }), fc.array(summand, { maxLength: 40 }), (kept, removed) => {
        const whole = sumOf(removed);
        whole.addSum(sumOf(kept.slice(0, kept.length / 2)));
        whole.addSum(sumOf(kept.slice(kept.length / 2)));
        for (const value of removed.toReversed()) whole.add(-value);
        expect(whole.value()).toBe(sumOf(kept).value());
        expect(ExactSum.of(whole.parts()).value()).toBe(whole.value());
      }),
      { numRuns: 2000 },
    );
  });

  test('multiplies without rounding', () => {
    const factor = fc
      .oneof(fc.double({ noNaN: true, min: -1e70, max: 1e70 }), fc.integer())
      .filter(value => Math.abs(value) > 1e-70);
    fc.assert(
      fc.property(fc.array(fc.tuple(factor, factor), { maxLength: 20 }), pairs => {
        const sum = new ExactSum();
        for (const [a, b] of pairs) sum.addProduct(a, b);
        expect(sum.value()).toBe(
          toDouble(
            pairs.reduce((total, [a, b]) => total + toExact(a) * toExact(b), 0n),
            2n,
          ) + 0,
        );
      }),
      { numRuns: 2000 },
    );
  });
});
