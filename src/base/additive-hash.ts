/**
 * An order-free fingerprint of a set of (partition, offset) pairs: the sum modulo 2^64 of a mixed 64-bit hash of each.
 * Sums of disjoint sets add up, so rows, changes, expired and erased parts can be accounted for separately (design, section 6).
 */
export class AdditiveHash {
  #high = 0;
  #low = 0;

  static parse(text: string): AdditiveHash {
    const hash = new AdditiveHash();
    hash.#high = Number.parseInt(text.slice(0, 8), 16);
    hash.#low = Number.parseInt(text.slice(8, 16), 16);
    return hash;
  }

  add(partition: number, offset: number): void {
    this.#sum(mixHigh(partition, offset), mixLow(partition, offset));
  }

  addHash(other: AdditiveHash): void {
    this.#sum(other.#high, other.#low);
  }

  subtractHash(other: AdditiveHash): void {
    const low = this.#low - other.#low;
    this.#low = low >>> 0;
    this.#high = (this.#high - other.#high - (low < 0 ? 1 : 0)) >>> 0;
  }

  /** Sixteen hexadecimal digits. */
  toString(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0');
  }

  #sum(high: number, low: number): void {
    const sum = this.#low + low;
    this.#low = sum >>> 0;
    this.#high = (this.#high + high + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
  }
}

/** Adds every offset of [first, last] of a partition. */
export function hashOfRange(partition: number, first: number, last: number): AdditiveHash {
  const hash = new AdditiveHash();
  for (let offset = first; offset <= last; offset++) hash.add(partition, offset);
  return hash;
}

function mixLow(partition: number, offset: number): number {
  return mix(mix(offset >>> 0, 0x9e3779b9) ^ mix(Math.floor(offset / 0x1_0000_0000) >>> 0, 0x85ebca6b), partition + 1);
}

function mixHigh(partition: number, offset: number): number {
  return mix(mix(offset >>> 0, 0xc2b2ae35) ^ mix(Math.floor(offset / 0x1_0000_0000) >>> 0, 0x27d4eb2f), partition + 0x1000);
}

/** A finalizer with full avalanche (murmur3's fmix32) over a salted word. */
function mix(word: number, salt: number): number {
  let z = (word + Math.imul(salt, 0x9e3779b1)) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}
