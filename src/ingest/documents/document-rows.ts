import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { ChunkSettings, StreamRecord } from '../../streams/index.ts';

/** A document as it is kept. */
export interface DocumentRow {
  id: string;
  /** Rises with every change of the document, from 1: the offset of this row, plus one. */
  version: number;
  title: string | null;
  url: string | null;
  metadata: JsonObject | null;
  manifest: Manifest;
}

export interface Manifest {
  formatVersion: 1;
  contentHash: string;
  inputHash: string;
  markdown: boolean;
  /** UTF-16 code units of the text. */
  length: number;
  chunking: ChunkSettings;
  /** [hash of the chunk, start, end], by start; equal chunks are one row with several places. */
  places: Place[];
  /** [start, text]: the white space between the chunks. */
  gaps: [start: number, text: string][];
}

export type Place = [hash: string, start: number, end: number];

const HASH_CHARS = 24;

/** Names a chunk within its document, by what it says and the headings above it. */
export function chunkHash(heading: readonly string[], text: string): string {
  return createHash('sha256')
    .update(JSON.stringify([heading, text]))
    .digest('hex')
    .slice(0, HASH_CHARS);
}

export function chunkKey(id: string, hash: string): string {
  return `${id}#${hash}`;
}

export type DocumentFacts = Pick<DocumentRow, 'id' | 'title' | 'url' | 'metadata'>;

/**
 * A document is rows of one upsert stream: this one, keyed by its id, and one per chunk, keyed `{id}#{hash}`. Where a chunk stands is here
 * alone, so that a chunk does not change when only its place does. Everything is below one member, which nobody searches: a search finds chunks.
 */
export function manifestValue(facts: DocumentFacts, manifest: Manifest): JsonObject {
  return { manifest: { ...factsValue(facts), ...manifest } as unknown as JsonObject };
}

export function chunkValue(facts: DocumentFacts, hash: string, heading: readonly string[], text: string): JsonObject {
  return { ...factsValue(facts), chunk: hash, ...(heading.length === 0 ? {} : { heading: [...heading] }), text };
}

function factsValue({ id, title, url, metadata }: DocumentFacts): JsonObject {
  return {
    document: id,
    ...(title === null ? {} : { title }),
    ...(url === null ? {} : { url }),
    ...(metadata === null ? {} : { metadata }),
  };
}

/** Null for a row that somebody wrote who writes no documents. TW_FORMAT_TOO_NEW. */
export function documentRow(record: StreamRecord): DocumentRow | null {
  const value = parsedValue(record);
  return isJsonObject(value) ? documentOf(value.manifest, record.offset) : null;
}

/** The same from the `manifest` of the row at this offset. */
export function documentOf(found: JsonValue | undefined, offset: number): DocumentRow | null {
  if (!isJsonObject(found) || typeof found.document !== 'string') return null;
  const { document, title, url, metadata, ...rest } = found;
  const manifest = rest as unknown as Manifest;
  if (manifest.formatVersion !== 1) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `Document "${document}" has a manifest of format ${manifest.formatVersion}; this version reads 1.`,
    });
  }
  return {
    id: document,
    version: offset + 1,
    title: typeof title === 'string' ? title : null,
    url: typeof url === 'string' ? url : null,
    metadata: isJsonObject(metadata) ? metadata : null,
    manifest,
  };
}

/** A chunk as its row has it; null for another row. */
export interface ChunkRow {
  document: string;
  hash: string;
  heading: string[];
  text: string;
}

export function chunkRow(record: StreamRecord): ChunkRow | null {
  const value = parsedValue(record);
  if (!isJsonObject(value)) return null;
  const { document, chunk, heading, text } = value;
  if (typeof document !== 'string' || typeof chunk !== 'string' || typeof text !== 'string') return null;
  return { document, hash: chunk, heading: Array.isArray(heading) ? heading.map(String) : [], text };
}

/** The text that was put: chunks at their places, and what lies between them. */
export function restoredText({ places, gaps, length }: Manifest, texts: ReadonlyMap<string, string>): string {
  const whiteSpace = new Map(gaps);
  const pieces: string[] = [];
  let at = 0;
  const put = (piece: string): void => {
    pieces.push(piece);
    at += piece.length;
  };
  for (const [hash, start] of places) {
    if (start > at) put(whiteSpace.get(at) ?? '');
    put((texts.get(hash) ?? '').slice(at - start));
  }
  if (at < length) put(whiteSpace.get(at) ?? '');
  return pieces.join('');
}

function parsedValue(record: StreamRecord): JsonValue {
  return record.value === null ? null : JSON.parse(Buffer.from(record.value).toString('utf8'));
}
