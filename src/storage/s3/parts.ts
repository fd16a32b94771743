import type { ByteRange } from '../object-store.ts';

/** What one request reads at most: requests cost by number, so segments of the log come in one. */
export const PART_BYTES = 32 * 1024 * 1024;
const PARTS_AT_ONCE = 4;

export interface FirstPart {
  bytes: Uint8Array;
  /** Of the whole object. */
  totalBytes: number;
}

/** The whole object, of which `first` is the beginning; the other parts are read a few at a time. */
export async function restOf(
  { bytes, totalBytes }: FirstPart,
  part: (range: ByteRange) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  if (bytes.length >= totalBytes) return bytes;
  const whole = Buffer.allocUnsafeSlow(totalBytes);
  whole.set(bytes, 0);
  let next = bytes.length;
  const readOn = async (): Promise<void> => {
    while (next < totalBytes) {
      const range = { start: next, end: Math.min(next + PART_BYTES, totalBytes) };
      next = range.end;
      whole.set(await part(range), range.start);
    }
  };
  await Promise.all(Array.from({ length: PARTS_AT_ONCE }, readOn));
  return whole;
}

/** From a `Content-Range: bytes 0-9/1234`; undefined when the reply is the whole object. */
export function totalOf(contentRange: string | undefined): number | undefined {
  const total = /\/(\d+)$/.exec(contentRange ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}
