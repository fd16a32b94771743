import { BinaryWriter, crc32c, TailwaterError, utf8 } from '../../base/index.ts';

/**
 * An object's file: a header of 32 bytes, then the content.
 *
 * | bytes | what |
 * | --- | --- |
 * | 0-3 | magic `TWOB` |
 * | 4-7 | format version, 1 |
 * | 8-15 | tag: random, new with every write; the object's etag |
 * | 16-23 | content length |
 * | 24-27 | crc32c of the content |
 * | 28-31 | crc32c of bytes 0-27 and of the object's key (UTF-8), so that no object passes for another |
 */
export const HEADER_BYTES = 32;
export const TAG_BYTES = 8;
const MAGIC = 0x54574f42;
const FORMAT_VERSION = 1;
const CHECKED_BYTES = HEADER_BYTES - 4;

export interface ObjectHeader {
  etag: string;
  length: number;
  checksum: number;
}

export function encodeObject(key: string, tag: Uint8Array, content: Uint8Array): Uint8Array {
  const writer = new BinaryWriter(HEADER_BYTES + content.length);
  writer.u32(MAGIC);
  writer.u32(FORMAT_VERSION);
  writer.raw(tag);
  writer.i64(content.length);
  writer.u32(crc32c(content));
  writer.u32(headerChecksum(key, writer.finish()));
  writer.raw(content);
  return writer.finish();
}

export function etagOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString('hex');
}

/** Reads the header at the start of `file`. Throws TW_DATA_DAMAGED, or TW_FORMAT_TOO_NEW when a later version wrote it. */
export function decodeHeader(key: string, file: Uint8Array, fileSize: number): ObjectHeader {
  if (file.length < HEADER_BYTES) throw damaged(key, `is cut short: it has ${fileSize} bytes`);
  const view = new DataView(file.buffer, file.byteOffset, HEADER_BYTES);
  if (view.getUint32(0) !== MAGIC) throw damaged(key, 'does not begin as an object does');
  const version = view.getUint32(4);
  if (headerChecksum(key, file.subarray(0, CHECKED_BYTES)) !== view.getUint32(CHECKED_BYTES)) {
    throw damaged(key, 'has a damaged header, or the file is that of another object');
  }
  if (version > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `The object ${key} has format version ${version}; this version reads up to ${FORMAT_VERSION}.`,
    });
  }
  const length = Number(view.getBigUint64(16));
  if (fileSize !== HEADER_BYTES + length) throw damaged(key, `should have ${length} bytes and has ${fileSize - HEADER_BYTES}`);
  return { etag: etagOf(file.subarray(8, 8 + TAG_BYTES)), length, checksum: view.getUint32(24) };
}

/** The verified content of a whole file. Shares memory with it. */
export function decodeObject(key: string, file: Uint8Array): { bytes: Uint8Array; etag: string } {
  const header = decodeHeader(key, file, file.length);
  const bytes = file.subarray(HEADER_BYTES);
  if (crc32c(bytes) !== header.checksum) throw damaged(key, 'fails its checksum');
  return { bytes, etag: header.etag };
}

function headerChecksum(key: string, header: Uint8Array): number {
  return crc32c(utf8(key), crc32c(header));
}

function damaged(key: string, problem: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `The object ${key} ${problem}.`, data: { key } });
}
