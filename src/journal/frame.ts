/**
 * The bytes of a journal file, all big-endian.
 *
 *     file   := header frame*
 *     header := magic 'TWJL' u32 | format version u16 | 0 u16 | first sequence i64 | salt 8 bytes | 0 u32 | crc32c of the 28 bytes before
 *     frame  := length u32 | sequence i64 | crc32c u32 | payload (length bytes)
 *     seal   := 0x80000000 u32 | last sequence i64 | crc32c u32
 *
 * A frame's checksum covers the file's salt, the length, the sequence and the payload: bytes of another file, or a payload that
 * quotes a journal, never pass for a frame. A seal marks a clean end; entries may follow it after the next start.
 */
import { crc32c, TailwaterError } from '../base/index.ts';
import { damaged } from './journal-errors.ts';

export const FILE_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 16;
/** A length above this is read as damage, so that a broken length never asks for gigabytes. */
export const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

const FORMAT_VERSION = 1;
const MAGIC = 0x54574a4c;
const SEAL = 0x8000_0000;
const SALT_BYTES = 8;

export interface FileHeader {
  firstSeq: number;
  /** The checksum of the file's salt: where every frame's checksum starts. */
  seed: number;
}

export interface FrameHeader {
  seal: boolean;
  seq: number;
  /** Of the payload, in bytes. */
  length: number;
}

export function encodeFileHeader(firstSeq: number, salt: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC);
  view.setUint16(4, FORMAT_VERSION);
  setSeq(view, 8, firstSeq);
  bytes.set(salt.subarray(0, SALT_BYTES), 16);
  view.setUint32(28, crc32c(bytes.subarray(0, 28)));
  return bytes;
}

export function decodeFileHeader(bytes: Uint8Array, file: string): FileHeader {
  const view = viewOf(bytes);
  if (bytes.length < FILE_HEADER_BYTES || view.getUint32(0) !== MAGIC) throw damaged(`${file} is not a journal file.`, { file });
  const version = view.getUint16(4);
  if (version > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `${file} has journal format ${version}; this version reads up to ${FORMAT_VERSION}.`,
    });
  }
  if (view.getUint32(28) !== crc32c(bytes.subarray(0, 28))) throw damaged(`The header of ${file} fails its checksum.`, { file });
  return { firstSeq: getSeq(view, 8), seed: crc32c(bytes.subarray(16, 16 + SALT_BYTES)) };
}

/** Writes a frame into `target`, which holds at least header and payload, and returns its length in bytes. */
export function encodeFrame(target: Uint8Array, seed: number, seq: number, payload: Uint8Array): number {
  target.set(payload, FRAME_HEADER_BYTES);
  return finishFrame(target, seed, payload.length, seq, payload.length);
}

export function encodeSeal(seed: number, lastSeq: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES);
  finishFrame(bytes, seed, SEAL, lastSeq, 0);
  return bytes;
}

/** The header of the frame at `at`, or null when these bytes cannot begin one; the payload is not looked at. */
export function peekFrame(bytes: Uint8Array, at: number): FrameHeader | null {
  if (at + FRAME_HEADER_BYTES > bytes.length) return null;
  const view = viewOf(bytes);
  const word = view.getUint32(at);
  const seal = word === SEAL;
  if (!seal && word > MAX_PAYLOAD_BYTES) return null;
  return { seal, seq: getSeq(view, at + 4), length: seal ? 0 : word };
}

/** Whether the whole frame at `at` lies in these bytes and passes its checksum. */
export function frameIsValid(bytes: Uint8Array, at: number, header: FrameHeader, seed: number): boolean {
  const end = at + FRAME_HEADER_BYTES + header.length;
  if (end > bytes.length) return false;
  return viewOf(bytes).getUint32(at + 12) === checksum(bytes, at, header.length, seed);
}

export function framePayload(bytes: Uint8Array, at: number, header: FrameHeader): Uint8Array {
  const start = at + FRAME_HEADER_BYTES;
  return bytes.subarray(start, start + header.length);
}

function finishFrame(target: Uint8Array, seed: number, word: number, seq: number, length: number): number {
  const view = viewOf(target);
  view.setUint32(0, word);
  setSeq(view, 4, seq);
  view.setUint32(12, checksum(target, 0, length, seed));
  return FRAME_HEADER_BYTES + length;
}

function checksum(bytes: Uint8Array, at: number, length: number, seed: number): number {
  const start = at + FRAME_HEADER_BYTES;
  return crc32c(bytes.subarray(start, start + length), crc32c(bytes.subarray(at, at + 12), seed));
}

function setSeq(view: DataView, at: number, seq: number): void {
  view.setUint32(at, Math.floor(seq / 0x1_0000_0000));
  view.setUint32(at + 4, seq >>> 0);
}

function getSeq(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
