/**
 * MurmurHash3_x86_128 (Austin Appleby, public domain), the first 64 bits of which name keys and terms in table statistics.
 * Chosen for 32-bit multiplications only: no BigInt on a path that runs once per row and per term.
 */
const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

/** Writes the four 32-bit words of the hash of `bytes` into `out`. */
export function murmur128(bytes: Uint8Array, out: Uint32Array, seed = 0): void {
  let h1 = seed;
  let h2 = seed;
  let h3 = seed;
  let h4 = seed;
  const whole = bytes.length & ~15;
  for (let at = 0; at < whole; at += 16) {
    h1 = (Math.imul(rotate(h1 ^ scramble(word(bytes, at), C1, 15, C2), 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 = (Math.imul(rotate(h2 ^ scramble(word(bytes, at + 4), C2, 16, C3), 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 = (Math.imul(rotate(h3 ^ scramble(word(bytes, at + 8), C3, 17, C4), 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 = (Math.imul(rotate(h4 ^ scramble(word(bytes, at + 12), C4, 18, C1), 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  if (bytes.length > whole + 12) h4 ^= scramble(lastWord(bytes, whole + 12), C4, 18, C1);
  if (bytes.length > whole + 8) h3 ^= scramble(lastWord(bytes, whole + 8), C3, 17, C4);
  if (bytes.length > whole + 4) h2 ^= scramble(lastWord(bytes, whole + 4), C2, 16, C3);
  if (bytes.length > whole) h1 ^= scramble(lastWord(bytes, whole), C1, 15, C2);
  finish(h1 ^ bytes.length, h2 ^ bytes.length, h3 ^ bytes.length, h4 ^ bytes.length, out);
}

function finish(h1: number, h2: number, h3: number, h4: number, out: Uint32Array): void {
  const sum = (h1 + h2 + h3 + h4) | 0;
  const a = avalanche(sum);
  const b = avalanche(sum + h2);
  const c = avalanche(sum + h3);
  const d = avalanche(sum + h4);
  const total = (a + b + c + d) | 0;
  out[0] = total;
  out[1] = total + b;
  out[2] = total + c;
  out[3] = total + d;
}

function scramble(k: number, before: number, bits: number, after: number): number {
  return Math.imul(rotate(Math.imul(k, before), bits), after);
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** The word at `at`, with zeros beyond the end. */
function lastWord(bytes: Uint8Array, at: number): number {
  let k = 0;
  for (let index = Math.min(bytes.length - 1, at + 3); index >= at; index--) k = (k << 8) | bytes[index];
  return k;
}

function avalanche(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
