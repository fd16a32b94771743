import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactSum } from '../../src/features/aggregate/exact-sum.ts';
import { rangeSums, Totals } from '../../src/features/aggregate/range-sums.ts';

const numbers = fc.oneof(
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
  fc.integer({ min: -100_000, max: 100_000 }).map(cents => cents / 100),
  fc.double({ min: -1000, max: 1000, noNaN: true }).map(value => (Math.abs(value) < 1e-3 ? 0 : value)),
  fc.constant(Number.NaN),
  fc.constant(-0),
);

function exactly(part: Float64Array): number {
  const sum = new ExactSum();
  for (const value of part) if (!Number.isNaN(value)) sum.add(value);
  return sum.value();
}

describe('sums of ranges from running totals', () => {
  it('are those of exact sums to the bit, of every range, whatever was summed before', () => {
    const totals = new Totals();
    fc.assert(
      fc.property(fc.array(numbers, { maxLength: 40 }), values => {
        const row = Float64Array.from(values);
        const sum = rangeSums(row, totals);
        expect(sum).not.toBeNull();
        for (let from = 0; from <= row.length; from++) {
          for (let to = from; to <= row.length; to++) {
            if (!Object.is(sum!(from, to), exactly(row.subarray(from, to)))) throw new Error(`rows ${from} to ${to}`);
          }
        }
      }),
    );
  });

  it('are exact or refused for any numbers that an aggregation takes', () => {
    const any = fc.double({ min: -1e140, max: 1e140, noNaN: true });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 20 }), values => {
        const row = Float64Array.from(values);
        const sum = rangeSums(row, new Totals());
        if (sum !== null && !Object.is(sum(0, row.length), exactly(row))) throw new Error('rounded twice');
      }),
    );
  });
});
