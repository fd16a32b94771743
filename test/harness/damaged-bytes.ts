import fc from 'fast-check';
import { expect } from 'vitest';
import { type ErrorCode, isTailwaterError } from '../../src/base/index.ts';

/** A decoder under test: what it makes of bytes, and a few encodings that it reads. */
export interface Codec {
  decode(bytes: Uint8Array): unknown;
  samples: readonly Uint8Array[];
  /** The codes it may refuse bytes with. Default: TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
  codes?: readonly ErrorCode[];
  /** Positions that the checksum leaves out by design. */
  unchecked?: (at: number) => boolean;
}

const CODES: readonly ErrorCode[] = ['TW_DATA_DAMAGED', 'TW_FORMAT_TOO_NEW'];
/** Of a sample, in bytes: beyond, places are drawn. */
const EVERY_PLACE = 400;

/** The code it was refused with; null when it was read. Any other exception fails the test. */
function refusal(codec: Codec, bytes: Uint8Array): ErrorCode | null {
  try {
    codec.decode(bytes);
    return null;
  } catch (error) {
    if (isTailwaterError(error, ...(codec.codes ?? CODES))) return error.code;
    throw error;
  }
}

/** Every truncation, every flip of one bit, and every extension by a byte is refused; arbitrary bytes never do worse. */
export function expectDamageRefused(codec: Codec): void {
  for (const sample of codec.samples) {
    expect(refusal(codec, sample)).toBeNull();
    for (const at of placesOf(sample.length)) {
      expect(refusal(codec, sample.slice(0, at)), `cut to ${at} bytes`).not.toBeNull();
      if (codec.unchecked?.(at)) continue;
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Uint8Array.from(sample);
        flipped[at] ^= 1 << bit;
        expect(refusal(codec, flipped), `bit ${bit} of byte ${at} flipped`).not.toBeNull();
      }
    }
    expect(refusal(codec, Uint8Array.of(...sample, 0)), 'a byte more').not.toBeNull();
  }
  expectNoCrash(codec);
}

/** For formats without a checksum of their own, and for contents behind a right one: any bytes are read, or refused by a code. */
export function expectNoCrash(codec: Codec, numRuns = 1_000): void {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => void refusal(codec, bytes)),
    { numRuns: numRuns / 2 },
  );
  const noise = fc.record({
    sample: fc.nat(),
    at: fc.nat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 10 }),
    cut: fc.nat(40),
  });
  fc.assert(
    fc.property(noise, ({ sample, at, bytes, cut }) => {
      const changed = Uint8Array.from(codec.samples[sample % codec.samples.length]);
      changed.set(bytes.subarray(0, changed.length), at % Math.max(1, changed.length - bytes.length + 1));
      refusal(codec, changed.subarray(0, Math.max(0, changed.length - (cut > 20 ? 0 : cut))));
    }),
    { numRuns },
  );
}

/**
 * A count of billions in any four bytes or as a varint at any place, behind a right checksum, allocates nothing like it: decoding
 * takes at most `maxBytes` of array buffers. Default 1 MiB.
 */
export function expectBoundedMemory(codec: Codec, maxBytes = 1024 * 1024): void {
  const counts = [
    [0x7f, 0xff, 0xff, 0xff],
    [0xff, 0xff, 0xff, 0xff],
    [0xff, 0xff, 0xff, 0xff, 0x07],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  ];
  for (const sample of codec.samples) {
    for (const at of placesOf(sample.length)) {
      for (const count of counts) {
        if (at + count.length > sample.length) continue;
        const hostile = Uint8Array.from(sample);
        hostile.set(count, at);
        const before = process.memoryUsage().arrayBuffers;
        refusal(codec, hostile);
        expect(process.memoryUsage().arrayBuffers - before, `a count at byte ${at}`).toBeLessThan(maxBytes);
      }
    }
  }
}

function placesOf(length: number): number[] {
  const step = Math.max(1, Math.floor(length / EVERY_PLACE));
  return Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step);
}
