import { randomFillSync } from 'node:crypto';

/** The port for randomness: ids, nonces and jitter come from here, so that one seed is one run. */
export interface Random {
  bytes(length: number): Uint8Array;
  /** Uniform in [0, 1). */
  float(): number;
}

export const systemRandom: Random = {
  bytes: length => randomFillSync(new Uint8Array(length)),
  float: () => Math.random(),
};

/** Deterministic randomness (splitmix32): the same seed gives the same sequence. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return {
    float: () => next() / 0x1_0000_0000,
    bytes: length => Uint8Array.from({ length }, () => next() & 0xff),
  };
}

const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A random id of 16 characters (80 bits), safe in paths and URLs on case-insensitive systems. */
export function randomId(random: Random): string {
  let id = '';
  for (const byte of random.bytes(16)) id += ID_ALPHABET[byte & 31];
  return id;
}

/** A random UUID (RFC 9562, version 4). */
export function randomUuid(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
