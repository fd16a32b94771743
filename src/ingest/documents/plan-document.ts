import type { JsonObject } from '../../base/index.ts';
import type { CutDocument, DocumentChunk } from '../../embeddings/index.ts';
import type { CheckedDocument } from './document-input.ts';
import {
  chunkHash,
  chunkKey,
  chunkValue,
  type DocumentFacts,
  type DocumentRow,
  type Manifest,
  manifestValue,
  type Place,
} from './document-rows.ts';

/** Records that replace a document, to be written in one segment; that of the document itself is the first. */
export interface DocumentPlan {
  records: { key: string; value: JsonObject | null }[];
  chunks: { total: number; added: number; kept: number; removed: number };
}

/** What turns the rows of `current` (null: there are none) into those of the given document. Chunks that stay as they are are not written. */
export function planPut(given: CheckedDocument, { title, chunks }: CutDocument, current: DocumentRow | null): DocumentPlan {
  const { id, url, metadata } = given;
  const facts: DocumentFacts = { id, title: given.title ?? title, url, metadata };
  const rows = new Map<string, JsonObject>();
  const places = chunks.map((chunk): Place => {
    const text = given.text.slice(chunk.start, chunk.end);
    const hash = chunkHash(chunk.heading, text);
    rows.set(hash, chunkValue(facts, hash, chunk.heading, text));
    return [hash, chunk.start, chunk.end];
  });
  const before = hashesOf(current);
  const keeps = current !== null && sameFacts(current, facts);
  const added = [...rows].filter(([hash]) => !keeps || !before.has(hash));
  const removed = [...before].filter(hash => !rows.has(hash));
  return {
    records: [
      { key: id, value: manifestValue(facts, manifestOf(given, places, chunks)) },
      ...added.map(([hash, value]) => ({ key: chunkKey(id, hash), value })),
      ...removed.map(hash => ({ key: chunkKey(id, hash), value: null })),
    ],
    chunks: { total: rows.size, added: added.length, kept: rows.size - added.length, removed: removed.length },
  };
}

/** What deletes a document and all its chunks. */
export function planDelete(current: DocumentRow): DocumentPlan {
  const hashes = [...hashesOf(current)];
  return {
    records: [current.id, ...hashes.map(hash => chunkKey(current.id, hash))].map(key => ({ key, value: null })),
    chunks: { total: 0, added: 0, kept: 0, removed: hashes.length },
  };
}

function hashesOf(row: DocumentRow | null): Set<string> {
  return new Set(row?.manifest.places.map(([hash]) => hash));
}

/** Every chunk has these. */
function sameFacts(a: DocumentFacts, b: DocumentFacts): boolean {
  const textOf = ({ title, url, metadata }: DocumentFacts): string => JSON.stringify([title, url, metadata]);
  return textOf(a) === textOf(b);
}

function manifestOf(given: CheckedDocument, places: Place[], chunks: readonly DocumentChunk[]): Manifest {
  const { text, markdown, contentHash, inputHash, chunking } = given;
  const gaps: Manifest['gaps'] = [];
  let at = 0;
  for (const { start, end } of chunks) {
    if (start > at) gaps.push([at, text.slice(at, start)]);
    at = end;
  }
  if (at < text.length) gaps.push([at, text.slice(at)]);
  return { formatVersion: 1, contentHash, inputHash, markdown, length: text.length, chunking, places, gaps };
}
