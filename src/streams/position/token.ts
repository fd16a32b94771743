import { BinaryReader, BinaryWriter, crc32c, fromBase64Url, TailwaterError, toBase64Url } from '../../base/index.ts';

/** A place in the history of a deployment: what a client has seen, or what an answer was made from (R6). */
export interface Position {
  /** The log sequence applied, per shard. */
  shards: { shard: number; seq: number }[];
  /** `tableState`: the table-state entry, or null. `heads`: the highest offset of each partition; -1: none. */
  streams: { incarnation: string; tableState: number | null; heads: number[] }[];
  /** Of an answer whose content depends on what time it was, and on what the tables held: without these it cannot be given again. */
  instant?: PositionInstant;
}

export interface PositionInstant {
  /** What counted as now, milliseconds since the epoch. */
  atMs: number;
  /** Per stream of the position, in its order, the watermark of each partition; -1: none. */
  watermarks: number[][];
}

/**
 * A token is base64url, without padding, of:
 *
 *   token  = version:u8(1) shards streams crc32c:u32                          (big-endian; the crc covers everything before it)
 *   token  = version:u8(2) shards streams instant crc32c:u32                  (when the position has an instant)
 *   instant= atMs:varint watermarks*                                         (one heads each stream)
 *   shards = count:varint (shard:varint seq:varint)*
 *   streams= count:varint (incarnation:text tableState:varint heads)*        (tableState: 0 none, else the number plus 1)
 *   heads  = count:varint (head - the one before it, the first minus -1:zigzag)*
 */
const VERSION = 1;
const VERSION_WITH_INSTANT = 2;
const CRC_BYTES = 4;
/** 8 KiB of text. */
const MAX_TOKEN_LENGTH = 8 * 1024;

/** TW_BAD_REQUEST when the position names so many streams and partitions that the token would pass 8 KiB. */
export function encodeToken(position: Position): string {
  const out = new BinaryWriter(64);
  out.u8(position.instant === undefined ? VERSION : VERSION_WITH_INSTANT);
  out.varint(position.shards.length);
  for (const { shard, seq } of position.shards) {
    out.varint(shard);
    out.varint(seq);
  }
  out.varint(position.streams.length);
  for (const { incarnation, tableState, heads } of position.streams) {
    out.text(incarnation);
    out.varint(tableState === null ? 0 : tableState + 1);
    writeHeads(out, heads);
  }
  if (position.instant !== undefined) {
    out.varint(position.instant.atMs);
    for (const watermark of position.instant.watermarks) writeHeads(out, watermark);
  }
  out.u32(crc32c(out.finish()));
  const token = toBase64Url(out.finish());
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `A position over ${position.streams.length} streams needs a token of ${token.length} characters; at most ${MAX_TOKEN_LENGTH} fit.`,
    });
  }
  return token;
}

/** TW_BAD_TOKEN for anything that encodeToken did not return. */
export function decodeToken(token: string): Position {
  const bytes = checkedBytes(token);
  try {
    const input = new BinaryReader(bytes.subarray(0, bytes.length - CRC_BYTES), 1);
    const position: Position = {
      shards: times(input, () => ({ shard: input.varint(), seq: input.varint() })),
      streams: times(input, () => ({ incarnation: input.text(), tableState: readTableState(input), heads: readHeads(input) })),
    };
    if (bytes[0] === VERSION_WITH_INSTANT) {
      position.instant = { atMs: input.varint(), watermarks: position.streams.map(() => readHeads(input)) };
    }
    if (input.remaining === 0) return position;
  } catch (cause) {
    throw badToken('Its content does not fit its length.', cause);
  }
  throw badToken('Something follows its content.');
}

function checkedBytes(token: string): Uint8Array {
  if (token.length > MAX_TOKEN_LENGTH)
    throw badToken(`It has ${token.length} characters; at most ${MAX_TOKEN_LENGTH} are possible.`);
  if (!/^[A-Za-z0-9_-]+$/.test(token)) throw badToken('It has characters that no token has.');
  const bytes = fromBase64Url(token);
  const end = bytes.length - CRC_BYTES;
  if (end < 1 || new BinaryReader(bytes, end).u32() !== crc32c(bytes.subarray(0, end)))
    throw badToken('Its checksum does not match.');
  if (toBase64Url(bytes) !== token) throw badToken('It is not in its one canonical form.');
  if (bytes[0] !== VERSION && bytes[0] !== VERSION_WITH_INSTANT) {
    throw badToken(`It has version ${bytes[0]}; this node reads versions ${VERSION} and ${VERSION_WITH_INSTANT}.`);
  }
  return bytes;
}

function writeHeads(out: BinaryWriter, heads: readonly number[]): void {
  out.varint(heads.length);
  let before = -1;
  for (const head of heads) {
    out.zigzag(head - before);
    before = head;
  }
}

function readHeads(input: BinaryReader): number[] {
  let before = -1;
  return times(input, () => {
    before += input.zigzag();
    return before;
  });
}

function readTableState(input: BinaryReader): number | null {
  const stored = input.varint();
  return stored === 0 ? null : stored - 1;
}

function times<T>(input: BinaryReader, item: () => T): T[] {
  const count = input.varint();
  if (count > input.remaining) throw badToken('It names more items than it holds.');
  return Array.from({ length: count }, item);
}

function badToken(detail: string, cause?: unknown): TailwaterError {
  return new TailwaterError('TW_BAD_TOKEN', { detail: `The token cannot be read. ${detail}`, cause });
}
