import { BinaryReader, BinaryWriter, crc32c, TailwaterError } from '../../base/index.ts';
import { CountedHashes } from './counted-hashes.ts';

/**
 * What some rows add to a table's statistics, or take away when they leave: everything here may be negative in a delta.
 * Layers of one table add up, in any grouping.
 */
export interface StatisticsLayer {
  /** Rows with a text. */
  documents: number;
  /** Tokens over those rows. */
  tokens: number;
  /** Term hash -> rows that contain the term. */
  terms: CountedHashes;
  /** Key hash -> rows of that key hash; empty for append streams. */
  keys: CountedHashes;
}

/** Entries: what a layer costs to keep and to rewrite. */
export function layerSize(layer: StatisticsLayer): number {
  return layer.terms.size + layer.keys.size;
}

export function isEmptyLayer(layer: StatisticsLayer): boolean {
  return layer.documents === 0 && layer.tokens === 0 && layerSize(layer) === 0;
}

export function mergeLayers(a: StatisticsLayer, b: StatisticsLayer): StatisticsLayer {
  return {
    documents: a.documents + b.documents,
    tokens: a.tokens + b.tokens,
    terms: a.terms.merge(b.terms),
    keys: a.keys.merge(b.keys),
  };
}

/** "TWTS". */
const MAGIC = 0x54575453;
const FORMAT_VERSION = 1;
const WIDTHS = [0, 1, 2, 4];

/*
 * layer   := magic:u32 version:u16 documents:i64 tokens:i64 hashes(terms) hashes(keys) crc32c:u32      (big-endian)
 * hashes  := count:u32 width:u8 high:u32le[count] low:u32le[count] counts:intle(width)[count]          (width 0: all counts are 1)
 */
export function encodeLayer(layer: StatisticsLayer): Uint8Array {
  const writer = new BinaryWriter(64 + layerSize(layer) * 12);
  writer.u32(MAGIC);
  writer.u16(FORMAT_VERSION);
  writer.i64(layer.documents);
  writer.i64(layer.tokens);
  writeHashes(writer, layer.terms);
  writeHashes(writer, layer.keys);
  writer.u32(crc32c(writer.finish()));
  return writer.finish();
}

/** Throws TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
export function decodeLayer(bytes: Uint8Array): StatisticsLayer {
  const reader = new BinaryReader(bytes);
  if (reader.u32() !== MAGIC) throw damaged('It does not start with the magic of table statistics.');
  const version = reader.u16();
  if (version > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `Table statistics have format ${version}, this build reads ${FORMAT_VERSION}.`,
    });
  }
  const end = bytes.length - 4;
  if (new BinaryReader(bytes, end).u32() !== crc32c(bytes.subarray(0, end))) throw damaged('The checksum does not match.');
  return { documents: reader.i64(), tokens: reader.i64(), terms: readHashes(reader), keys: readHashes(reader) };
}

function writeHashes(writer: BinaryWriter, hashes: CountedHashes): void {
  writer.u32(hashes.size);
  writer.u8(hashes.counts?.BYTES_PER_ELEMENT ?? 0);
  writer.raw(bytesOf(hashes.high));
  writer.raw(bytesOf(hashes.low));
  if (hashes.counts !== null) writer.raw(bytesOf(hashes.counts));
}

function readHashes(reader: BinaryReader): CountedHashes {
  const size = reader.u32();
  const width = reader.u8();
  if (!WIDTHS.includes(width)) throw damaged(`Counts of ${width} bytes do not exist.`);
  const high = new Uint32Array(aligned(reader, size * 4));
  const low = new Uint32Array(aligned(reader, size * 4));
  return new CountedHashes(high, low, readCounts(reader, size, width));
}

function readCounts(reader: BinaryReader, size: number, width: number): CountedHashes['counts'] {
  if (width === 0) return null;
  const bytes = aligned(reader, size * width);
  if (width === 1) return new Int8Array(bytes);
  return width === 2 ? new Int16Array(bytes) : new Int32Array(bytes);
}

/** A copy that starts at an address typed arrays accept. */
function aligned(reader: BinaryReader, length: number): ArrayBuffer {
  return reader.raw(length).slice().buffer as ArrayBuffer;
}

/** Little-endian on every processor Node runs on. */
function bytesOf(array: Uint32Array | Int8Array | Int16Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `A table statistics object is damaged. ${detail}` });
}
