/** Splits a double into two of 26 bits (Veltkamp), for products without rounding. */
const SPLITTER = 2 ** 27 + 1;

/**
 * A sum of doubles without any rounding (Shewchuk's expansions): its value is the sum of non-overlapping doubles, smallest first. So neither
 * the order of the additions nor how they are split and merged changes `value()`, which rounds once; adding -x takes x out again, exactly.
 * Exact as long as no intermediate overflows: inputs are bounded by the aggregations.
 */
export class ExactSum {
  #high = 0;
  /** The parts below `#high`, smallest first; null: none. */
  #low: number[] | null = null;

  add(value: number): void {
    const high = this.#high + value;
    const bigger = high - this.#high;
    const lost = this.#high - (high - bigger) + (value - bigger);
    if (this.#low === null) {
      this.#high = high;
      if (lost !== 0) this.#low = [lost];
      return;
    }
    this.#addToParts(value);
  }

  #addToParts(value: number): void {
    const parts = this.#low!;
    const count = parts.length;
    let carry = value;
    let kept = 0;
    for (let index = 0; index <= count; index++) {
      const part = index < count ? parts[index] : this.#high;
      const sum = carry + part;
      const bigger = sum - carry;
      const lost = carry - (sum - bigger) + (part - bigger);
      // At most one part is kept of each that was read, so nothing unread is overwritten.
      if (lost !== 0) parts[kept++] = lost;
      carry = sum;
    }
    parts.length = kept;
    this.#high = carry === 0 && kept > 0 ? parts.pop()! : carry;
    if (parts.length === 0) this.#low = null;
  }

  /** The product of two doubles, exactly. */
  addProduct(a: number, b: number): void {
    const product = a * b;
    const [aHigh, aLow] = split(a);
    const [bHigh, bLow] = split(b);
    const lost = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
    this.add(product);
    if (lost !== 0) this.add(lost);
  }

  addSum(other: ExactSum): void {
    for (const part of other.parts()) this.add(part);
  }

  /** The doubles whose sum this is, smallest first. */
  parts(): number[] {
    return this.#low === null ? [this.#high] : [...this.#low, this.#high];
  }

  /** The sum, rounded once to the nearest double, ties to even. */
  value(): number {
    if (this.#low === null) return this.#high + 0;
    const parts = this.#low;
    let high = this.#high;
    let low = 0;
    let index = parts.length;
    while (index > 0) {
      const before = high;
      const part = parts[--index];
      high = before + part;
      low = part - (high - before);
      if (low !== 0) break;
    }
    // Halfway cases are decided by the sign of what lies below.
    if (index > 0 && ((low < 0 && parts[index - 1] < 0) || (low > 0 && parts[index - 1] > 0))) {
      const doubled = low * 2;
      const rounded = high + doubled;
      if (doubled === rounded - high) return rounded;
    }
    return high;
  }

  static of(parts: readonly number[]): ExactSum {
    const sum = new ExactSum();
    for (const part of parts) sum.add(part);
    return sum;
  }
}

function split(value: number): [number, number] {
  const scaled = SPLITTER * value;
  const high = scaled - (scaled - value);
  return [high, value - high];
}
