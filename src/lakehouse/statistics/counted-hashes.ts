/** Directory slots per entry, as a shift: about four entries share a slot. */
const SLOT_SHIFT = 2;

/**
 * An immutable multiset of 64-bit hashes: sorted, distinct, each with a signed count that is never zero.
 * Three parallel typed arrays, so that millions load as fast as their bytes are copied. A small directory over the leading
 * bits makes a look-up a handful of steps.
 */
export class CountedHashes {
  static readonly EMPTY = new CountedHashes(new Uint32Array(0), new Uint32Array(0), null);

  readonly high: Uint32Array;
  readonly low: Uint32Array;
  /** Null: every count is 1. */
  readonly counts: Int8Array | Int16Array | Int32Array | null;
  readonly #slots: Uint32Array;
  readonly #slotBits: number;

  /** The arrays are kept, not copied; they must be sorted by (high, low) and distinct. */
  constructor(high: Uint32Array, low: Uint32Array, counts: Int8Array | Int16Array | Int32Array | null) {
    this.high = high;
    this.low = low;
    this.counts = counts;
    this.#slotBits = Math.max(0, Math.ceil(Math.log2(high.length + 1)) - SLOT_SHIFT);
    this.#slots = directory(high, this.#slotBits);
  }

  get size(): number {
    return this.high.length;
  }

  /** The count of a hash; 0 when it is absent. */
  count(high: number, low: number): number {
    const slot = slotOf(high, this.#slotBits);
    const end = this.#slots[slot + 1];
    for (let at = this.#slots[slot]; at < end; at++) {
      if (this.high[at] === high && this.low[at] === low) return this.countAt(at);
      if (this.high[at] > high) return 0;
    }
    return 0;
  }

  countAt(index: number): number {
    return this.counts === null ? 1 : this.counts[index];
  }

  /** The sum of both; hashes whose counts cancel out are dropped. */
  merge(other: CountedHashes): CountedHashes {
    if (other.size === 0) return this;
    if (this.size === 0) return other;
    return mergeSorted(this, other);
  }
}

/** Collects hashes with signed counts in any order, then sorts them once. */
export class HashCounter {
  #high = new Uint32Array(1024);
  #low = new Uint32Array(1024);
  #counts = new Int32Array(1024);
  #size = 0;

  add(high: number, low: number, count: number): void {
    if (this.#size === this.#high.length) this.#grow();
    this.#high[this.#size] = high;
    this.#low[this.#size] = low;
    this.#counts[this.#size++] = count;
  }

  finish(): CountedHashes {
    const order = sortedOrder(this.#high, this.#low, this.#size);
    const builder = new SortedBuilder(this.#size);
    for (const at of order) builder.push(this.#high[at], this.#low[at], this.#counts[at]);
    return builder.finish();
  }

  #grow(): void {
    const length = this.#high.length * 2;
    this.#high = grown(this.#high, new Uint32Array(length));
    this.#low = grown(this.#low, new Uint32Array(length));
    this.#counts = grown(this.#counts, new Int32Array(length));
  }
}

/** Takes hashes in ascending order; equal neighbours are added up, zero sums dropped, counts stored as narrow as they fit. */
class SortedBuilder {
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #counts: Int32Array;
  #size = 0;

  constructor(capacity: number) {
    this.#high = new Uint32Array(capacity);
    this.#low = new Uint32Array(capacity);
    this.#counts = new Int32Array(capacity);
  }

  push(high: number, low: number, count: number): void {
    const last = this.#size - 1;
    if (last >= 0 && this.#high[last] === high && this.#low[last] === low) {
      this.#counts[last] += count;
      return;
    }
    this.#dropZero();
    this.#high[this.#size] = high;
    this.#low[this.#size] = low;
    this.#counts[this.#size++] = count;
  }

  finish(): CountedHashes {
    this.#dropZero();
    const counts = this.#counts.slice(0, this.#size);
    return new CountedHashes(this.#high.slice(0, this.#size), this.#low.slice(0, this.#size), narrow(counts));
  }

  #dropZero(): void {
    if (this.#size > 0 && this.#counts[this.#size - 1] === 0) this.#size--;
  }
}

function mergeSorted(a: CountedHashes, b: CountedHashes): CountedHashes {
  const builder = new SortedBuilder(a.size + b.size);
  let i = 0;
  let j = 0;
  while (i < a.size || j < b.size) {
    if (j === b.size || (i < a.size && notAbove(a, i, b, j))) {
      builder.push(a.high[i], a.low[i], a.countAt(i++));
    } else {
      builder.push(b.high[j], b.low[j], b.countAt(j++));
    }
  }
  return builder.finish();
}

function notAbove(a: CountedHashes, i: number, b: CountedHashes, j: number): boolean {
  return a.high[i] < b.high[j] || (a.high[i] === b.high[j] && a.low[i] <= b.low[j]);
}

/** Where each run of equal leading bits starts; one more slot than values, so that `slot + 1` is its end. */
function directory(high: Uint32Array, bits: number): Uint32Array {
  const slots = new Uint32Array(2 ** bits + 1);
  for (let index = 0; index < high.length; index++) slots[slotOf(high[index], bits) + 1]++;
  for (let slot = 1; slot < slots.length; slot++) slots[slot] += slots[slot - 1];
  return slots;
}

function slotOf(high: number, bits: number): number {
  return bits === 0 ? 0 : high >>> (32 - bits);
}

function narrow(counts: Int32Array): Int8Array | Int16Array | Int32Array | null {
  let widest = 0;
  let allOne = true;
  for (const count of counts) {
    widest = Math.max(widest, count < 0 ? -(count + 1) : count);
    if (count !== 1) allOne = false;
  }
  if (allOne) return null;
  if (widest < 0x80) return Int8Array.from(counts);
  return widest < 0x8000 ? Int16Array.from(counts) : counts;
}

function grown<T extends Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/** The permutation that sorts (high, low), by a least-significant-digit radix sort: three digits of 11 bits per word. */
function sortedOrder(high: Uint32Array, low: Uint32Array, size: number): Uint32Array {
  let order = new Uint32Array(size);
  for (let index = 0; index < size; index++) order[index] = index;
  let spare = new Uint32Array(size);
  for (const words of [low, high]) {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      sortByDigit(words, shift, order, spare);
      [order, spare] = [spare, order];
    }
  }
  return order;
}

function sortByDigit(words: Uint32Array, shift: number, from: Uint32Array, to: Uint32Array): void {
  const starts = new Uint32Array(DIGITS + 1);
  for (const at of from) starts[((words[at] >>> shift) & (DIGITS - 1)) + 1]++;
  for (let digit = 1; digit <= DIGITS; digit++) starts[digit] += starts[digit - 1];
  for (const at of from) to[starts[(words[at] >>> shift) & (DIGITS - 1)]++] = at;
}
