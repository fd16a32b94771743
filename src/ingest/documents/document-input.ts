import { createHash } from 'node:crypto';
import { isDeeperThan, isJsonObject, type JsonObject, TailwaterError, utf8 } from '../../base/index.ts';
import type { ChunkSettings } from '../../streams/index.ts';

/** A document as clients send it: its text, plain or Markdown, and what is known about it. */
export interface DocumentInput {
  text?: string;
  markdown?: string;
  /** Default: the first of the highest headings of a Markdown text. */
  title?: string;
  /** Where a reader finds it. */
  url?: string;
  /** For filters: it is part of every chunk. At most 16 KiB of JSON. */
  metadata?: JsonObject;
  /** Default: the stream's. */
  chunking?: Partial<ChunkSettings>;
}

/** A document that may be cut. */
export interface CheckedDocument {
  id: string;
  text: string;
  markdown: boolean;
  title: string | null;
  url: string | null;
  metadata: JsonObject | null;
  chunking: ChunkSettings;
  /** SHA-256 of the text as UTF-8, hexadecimal. */
  contentHash: string;
  /** Of everything here. */
  inputHash: string;
}

const MAX_ID_CHARS = 512;
/** More than one segment takes with everything that comes with it, so that what cannot fit is not cut first. */
const MAX_TEXT_BYTES = 3 * 1024 * 1024;
const MAX_TITLE_CHARS = 1000;
const MAX_URL_CHARS = 4096;
const MAX_METADATA_CHARS = 16 * 1024;
const MAX_METADATA_DEPTH = 32;
const MEMBERS = ['text', 'markdown', 'title', 'url', 'metadata', 'chunking'];

/** Throws TW_DOCUMENT_ID: ids are keys, and `#` begins the part that names a chunk. */
export function checkDocumentId(id: string): string {
  const isGood = id.length >= 1 && id.length <= MAX_ID_CHARS && id.isWellFormed() && !/[#\p{Cc}]|^\.\.?$/u.test(id);
  if (isGood) return id;
  throw new TailwaterError('TW_DOCUMENT_ID', {
    detail: `The document id ${JSON.stringify(id.slice(0, 100))} of ${id.length} characters is not valid.`,
  });
}

/** Throws TW_DOCUMENT_ID, TW_DOCUMENT_TOO_LARGE, TW_BAD_REQUEST. `chunking` says how the document is to be cut. */
export function checkDocument(id: string, input: unknown, chunking: (given: unknown) => ChunkSettings): CheckedDocument {
  checkDocumentId(id);
  if (!isJsonObject(input)) throw bad('A document is an object with a `text` or a `markdown`');
  const stranger = Object.keys(input).find(name => !MEMBERS.includes(name));
  if (stranger !== undefined)
    throw bad(`A document has no member "${stranger.slice(0, 100)}"; it may have ${MEMBERS.join(', ')}`);
  const { text, markdown, title, url, metadata } = input;
  if ((text === undefined) === (markdown === undefined)) throw bad('A document has either a `text` or a `markdown`');
  const facts = {
    markdown: markdown !== undefined,
    title: title === undefined ? null : textOf(title, 'title', MAX_TITLE_CHARS),
    url: url === undefined ? null : textOf(url, 'url', MAX_URL_CHARS),
    metadata: metadata === undefined ? null : metadataOf(metadata),
    chunking: chunking(input.chunking),
  };
  const content = contentOf(text ?? markdown);
  const contentHash = createHash('sha256').update(content.bytes).digest('hex');
  const inputHash = createHash('sha256').update(contentHash).update(JSON.stringify(facts)).digest('hex');
  return { id, text: content.text, ...facts, contentHash, inputHash };
}

function contentOf(given: unknown): { text: string; bytes: Uint8Array } {
  if (typeof given !== 'string') throw bad('The text of a document is a string');
  if (!given.isWellFormed()) throw bad('The text has half a surrogate pair, which is no character');
  const bytes = utf8(given);
  if (bytes.length <= MAX_TEXT_BYTES) return { text: given, bytes };
  throw documentTooLarge(`The text has ${bytes.length} bytes; at most ${MAX_TEXT_BYTES} are taken.`);
}

export function documentTooLarge(detail: string): TailwaterError {
  return new TailwaterError('TW_DOCUMENT_TOO_LARGE', { detail });
}

function textOf(value: unknown, name: string, maxChars: number): string {
  if (typeof value === 'string' && value.length >= 1 && value.length <= maxChars && value.isWellFormed()) return value;
  throw bad(`"${name}" is a text of 1 to ${maxChars} characters`);
}

function metadataOf(value: unknown): JsonObject {
  if (!isJsonObject(value) || isDeeperThan(value, MAX_METADATA_DEPTH)) {
    throw bad(`"metadata" is an object, nested at most ${MAX_METADATA_DEPTH} levels`);
  }
  const chars = JSON.stringify(value).length;
  if (chars > MAX_METADATA_CHARS)
    throw bad(`"metadata" has ${chars} characters as JSON; at most ${MAX_METADATA_CHARS} are taken`);
  return value;
}

function bad(why: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${why}.` });
}
