/** Bits of a double's fraction, with the leading one. */
const DOUBLE_BITS = 53;
/** Below this, differences of magnitude could reach numbers that have fewer digits. */
const SMALLEST = 1e-250;

/** The exact sum of the numbers [from, to), rounded once. */
export type RangeSum = (from: number, to: number) => number;

/** Where the running totals of one entity after another are kept. */
export class Totals {
  high = new Float64Array(0);
  low = new Float64Array(0);

  /** Room for so many; what was there is gone. */
  reserve(size: number): this {
    if (this.high.length < size) {
      this.high = new Float64Array(size * 2);
      this.low = new Float64Array(size * 2);
    }
    return this;
  }
}

/**
 * Sums of any range of numbers in constant time, the same to the bit as `ExactSum`. All numbers are multiples of one power of two; each is split at a bit into two parts, and
 * running totals of either part are whole multiples of a unit below 2^53, so that nothing is rounded. A range is then two exact differences, and adding them
 * rounds once. Null where the numbers are too many or too far apart for that. NaN does not count. The sums are good until `totals` is used again.
 */
export function rangeSums(numbers: Float64Array, totals: Totals): RangeSum | null {
  const split = splitOf(numbers);
  if (split === null) return null;
  const { high, low } = totals.reserve(numbers.length + 1);
  let upperTotal = 0;
  let lowerTotal = 0;
  for (let index = 0; index < numbers.length; index++) {
    high[index] = upperTotal;
    low[index] = lowerTotal;
    const value = numbers[index];
    if (Number.isNaN(value)) continue;
    const upper = value + split - split;
    upperTotal += upper;
    lowerTotal += value - upper;
  }
  high[numbers.length] = upperTotal;
  low[numbers.length] = lowerTotal;
  return (from, to) => high[to] - high[from] + (low[to] - low[from]) + 0;
}

/** Adding and taking off this number rounds to a multiple of the unit of the upper parts. */
function splitOf(numbers: Float64Array): number | null {
  let largest = 0;
  let smallest = Number.POSITIVE_INFINITY;
  let whole = true;
  for (let index = 0; index < numbers.length; index++) {
    const size = Math.abs(numbers[index]);
    if (size > largest) largest = size;
    if (size > 0 && size < smallest) smallest = size;
    if (whole && size % 1 > 0) whole = false;
  }
  if (largest === 0) return 1;
  if (smallest < SMALLEST) return null;
  // Each number is below 2^top, and a multiple of 2^bottom.
  const top = exponentOf(largest) + 1;
  const bottom = Math.max(whole ? 0 : Number.NEGATIVE_INFINITY, exponentOf(smallest) - DOUBLE_BITS + 1);
  const countBits = Math.ceil(Math.log2(numbers.length + 1)) + 1;
  const lowBits = DOUBLE_BITS - countBits;
  const highBits = top - bottom - lowBits + 1 + countBits;
  if (lowBits < 1 || highBits > DOUBLE_BITS) return null;
  return 1.5 * 2 ** (bottom + lowBits + DOUBLE_BITS - 1);
}

/** Of a positive number: 2^e <= value < 2^(e + 1). */
function exponentOf(value: number): number {
  const guess = Math.floor(Math.log2(value));
  if (2 ** guess > value) return guess - 1;
  return 2 ** (guess + 1) <= value ? guess + 1 : guess;
}
