import { TailwaterError } from '../../base/index.ts';

/**
 * Zigzag varints over plain arrays, for the loops that run once per record. Kafka's record format writes lengths and offset deltas as
 * 32-bit varints and timestamp deltas as 64-bit ones. (`BinaryWriter` serves everything that runs once per segment.)
 */

const FAST_LIMIT = 0x4000_0000;

/** Bytes of an unsigned varint below 2^32. */
export function unsignedVarintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Writes an unsigned varint below 2^32; returns the position after it. */
export function writeUnsignedVarint(out: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

/** Bytes of the zigzag varlong of `time - base`; both are safe integers. */
export function deltaSize(time: number, base: number): number {
  const delta = time - base;
  if (delta < FAST_LIMIT && delta >= -FAST_LIMIT) return unsignedVarintSize(((delta << 1) ^ (delta >> 31)) >>> 0);
  let rest = zigzagOfDelta(time, base);
  let size = 1;
  while (rest >= 0x80n) {
    rest >>= 7n;
    size++;
  }
  return size;
}

/** Writes the zigzag varlong of `time - base`; returns the position after it. */
export function writeDelta(out: Uint8Array, start: number, time: number, base: number): number {
  const delta = time - base;
  if (delta < FAST_LIMIT && delta >= -FAST_LIMIT) {
    return writeUnsignedVarint(out, start, ((delta << 1) ^ (delta >> 31)) >>> 0);
  }
  let at = start;
  let rest = zigzagOfDelta(time, base);
  while (rest >= 0x80n) {
    out[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  out[at++] = Number(rest);
  return at;
}

/** The difference of two safe integers may need 54 bits and a sign: more than a double holds. */
function zigzagOfDelta(time: number, base: number): bigint {
  const delta = BigInt(time) - BigInt(base);
  return BigInt.asUintN(64, (delta << 1n) ^ (delta >> 63n));
}

/** A cursor over bytes that are not trusted: every step stays inside [at, end), or throws TW_DATA_DAMAGED. */
export class VarintCursor {
  readonly #bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** A zigzag varint of at most 32 bits. */
  int32(): number {
    const bytes = this.#bytes;
    let at = this.at;
    let shift = 0;
    let value = 0;
    for (;;) {
      if (at >= this.end || shift > 28) throw damaged('A 32-bit varint does not end.');
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      shift += 7;
    }
    this.at = at;
    return (value >>> 1) ^ -(value & 1);
  }

  /** `base` plus a zigzag varlong; TW_DATA_DAMAGED when the sum is not a safe integer. */
  sumWithVarlong(base: number): number {
    const start = this.at;
    const bytes = this.#bytes;
    let at = start;
    let scale = 1;
    let value = 0;
    for (let count = 0; count < 5; count++) {
      if (at >= this.end) throw damaged('A 64-bit varint does not end.');
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.at = at;
        return checkedSum(base + (value % 2 === 0 ? value / 2 : -(value + 1) / 2));
      }
      scale *= 0x80;
    }
    return this.#slowSum(base, start);
  }

  /** Moves over `length` bytes and returns where they start. */
  skip(length: number): number {
    const start = this.at;
    if (length < 0 || length > this.end - start)
      throw damaged(`Expected ${length} bytes, but only ${this.end - start} are left.`);
    this.at = start + length;
    return start;
  }

  #slowSum(base: number, start: number): number {
    let at = start;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= this.end) break;
      const byte = this.#bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        const zigzag = BigInt.asUintN(64, value);
        return checkedSum(Number(BigInt(base) + ((zigzag >> 1n) ^ -(zigzag & 1n))));
      }
    }
    throw damaged('A 64-bit varint does not end.');
  }
}

function checkedSum(sum: number): number {
  if (!Number.isSafeInteger(sum)) throw damaged(`The 64-bit integer ${sum} is beyond 2^53 - 1.`);
  return sum;
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail });
}
