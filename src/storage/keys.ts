import { TailwaterError } from '../base/index.ts';
import type { ByteRange, GetOptions, ListOptions } from './object-store.ts';

const MAX_KEY_BYTES = 1024;
/** A segment becomes one file name on a folder (at most 255 bytes there), with room for a suffix. */
const MAX_SEGMENT_NAME_BYTES = 240;
const MAX_PAGE_KEYS = 1000;
const UNESCAPED = /^[a-z0-9_-][a-z0-9._-]*$/;
/** Keys of such segments have no problem while they are short, as most are: a character takes up to three bytes of a file name. */
const PLAIN_KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;
const MAX_PLAIN_LENGTH = MAX_SEGMENT_NAME_BYTES / 3;
// Controls and the two noncharacters cannot be carried by XML, in which S3 answers listings.
const FORBIDDEN = /[\p{Cc}\ufffe\uffff]/u;

/** Throws TW_BAD_REQUEST unless every store can keep this key: no empty, `.` or `..` segment, no control characters, bounded length. */
export function checkKey(key: string): void {
  const problem = keyProblem(key);
  if (problem !== undefined) throw badKey('key', key, problem);
}

export function isKey(key: string): boolean {
  return keyProblem(key) === undefined;
}

/** As checkKey, for the beginning of a key: the last segment may be incomplete or empty. */
export function checkPrefix(prefix: string): void {
  const problem = textProblem(prefix) ?? prefix.split('/').slice(0, -1).map(segmentProblem).find(isProblem);
  if (problem !== undefined) throw badKey('prefix', prefix, problem);
}

export function checkRange(range: ByteRange): void {
  if (!Number.isSafeInteger(range.start) || !Number.isSafeInteger(range.end) || range.start < 0 || range.end < range.start) {
    throw new TailwaterError('TW_BAD_REQUEST', { detail: `The byte range [${range.start}, ${range.end}) is not valid.` });
  }
}

/** How many keys a page may hold: 1 to 1000, default 1000. */
/** Whether a foreign object is asked for, in another version than this. */
export function isOther(options: GetOptions | undefined, etag: string): boolean {
  return options?.foreign !== undefined && options.foreign.etag !== etag;
}

export function pageLimit(options: ListOptions | undefined): number {
  return Math.max(1, Math.min(options?.limit ?? MAX_PAGE_KEYS, MAX_PAGE_KEYS));
}

/**
 * Orders keys as their UTF-8 bytes are ordered. UTF-16 code units differ from that only where a surrogate pair (a character above U+FFFF)
 * meets a unit from U+E000 up.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/**
 * The file name of one segment: ASCII, and the same on file systems that ignore case or normalise Unicode, because everything but
 * lower-case letters, digits, `_`, `-` and inner dots is written as %xx, byte by byte.
 */
export function escapeSegment(segment: string): string {
  if (UNESCAPED.test(segment)) return segment;
  let name = '';
  for (const byte of Buffer.from(segment, 'utf8')) {
    const char = String.fromCharCode(byte);
    const plain = name === '' ? /[a-z0-9_-]/ : /[a-z0-9._-]/;
    name += plain.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return name;
}

/** What escapeSegment wrote; null for a name that is no such text. Other names may give a segment too: escape it again to compare. */
export function unescapeSegment(name: string): string | null {
  if (UNESCAPED.test(name)) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function keyProblem(key: string): string | undefined {
  if (key.length <= MAX_PLAIN_LENGTH && PLAIN_KEY.test(key)) return undefined;
  return key === '' ? 'is empty' : (textProblem(key) ?? key.split('/').map(segmentProblem).find(isProblem));
}

function textProblem(text: string): string | undefined {
  if (!text.isWellFormed()) return 'has half of a surrogate pair';
  if (FORBIDDEN.test(text)) return 'has a control character';
  if (text.length > MAX_KEY_BYTES || Buffer.byteLength(text) > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`;
  return undefined;
}

function segmentProblem(segment: string): string | undefined {
  if (segment === '') return 'has an empty segment';
  if (segment === '.' || segment === '..') return `has the segment "${segment}"`;
  if (segment.length > MAX_SEGMENT_NAME_BYTES || escapeSegment(segment).length > MAX_SEGMENT_NAME_BYTES) {
    return `has a segment of more than ${MAX_SEGMENT_NAME_BYTES} bytes (three for each that is not a-z, 0-9, dot, dash or underscore)`;
  }
  return undefined;
}

function isProblem(problem: string | undefined): boolean {
  return problem !== undefined;
}

function badKey(what: string, key: string, problem: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `The object ${what} ${JSON.stringify(key.slice(0, 200))} ${problem}.` });
}
