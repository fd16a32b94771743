import type { Scalar } from './fold.ts';

const RANGE = 2 ** 53;

/** A hash in [0, 2^53), uniform; equal for equal values of the same type. Stored in checkpoints: it never changes. */
export function hash53(value: Scalar): number {
  const text = typeof value === 'string' ? `s${value}` : String(value);
  let a = 0x9e3779b1;
  let b = 0x85ebca77;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    a = Math.imul(a ^ unit, 0xcc9e2d51);
    a = (a << 15) | (a >>> 17);
    b = Math.imul(b ^ unit, 0x1b873593);
    b = (b << 13) | (b >>> 19);
  }
  a = mix(a ^ text.length);
  b = mix(b ^ Math.imul(a, 0xe6546b64));
  return ((b >>> 11) * 0x1_0000_0000 + mix(a ^ b)) % RANGE;
}

function mix(word: number): number {
  let z = word >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

export const HASH_RANGE = RANGE;
