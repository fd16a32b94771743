import { utf8 } from '../../base/index.ts';
import { chunkKey, chunkRow, type DocumentRow, restoredText } from '../../ingest/index.ts';
import { freshnessOf, lookupRows, type Pinned, tokenOf } from '../../snapshot/index.ts';
import type { DocumentAnswer, DocumentSummary } from '../documents-api.ts';

/** A document with its text, put together from its chunks at the same instant. */
export async function readDocument(pinned: Pinned, row: DocumentRow, nowMs: number): Promise<DocumentAnswer> {
  const { id, manifest } = row;
  const hashes = [...new Set(manifest.places.map(([hash]) => hash))];
  const found = await lookupRows(
    pinned,
    hashes.map(hash => utf8(chunkKey(id, hash))),
  );
  const chunks = new Map(found.map((each, index) => [hashes[index], each === null ? null : chunkRow(each.record)]));
  const texts = new Map([...chunks].map(([hash, chunk]) => [hash, chunk?.text ?? '']));
  return {
    ...summaryOf(row),
    text: restoredText(manifest, texts),
    chunks: manifest.places.map(([hash, start, end]) => ({
      id: chunkKey(id, hash),
      start,
      end,
      heading: chunks.get(hash)?.heading ?? [],
    })),
    freshness: freshnessOf(pinned, nowMs),
    token: tokenOf(pinned),
  };
}

export function summaryOf({ id, version, title, url, metadata, manifest }: DocumentRow): DocumentSummary {
  const { markdown, contentHash, length, chunking, places } = manifest;
  const chunkCount = new Set(places.map(([hash]) => hash)).size;
  return { document: id, version, title, url, metadata, markdown, contentHash, length, chunking, chunkCount };
}
