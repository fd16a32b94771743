import { utf8 } from '../base/index.ts';
import { chunkRow, type DocumentRow, documentRow } from '../ingest/index.ts';
import { lookupRows, type Pinned } from '../snapshot/index.ts';
import type { StreamRecord } from '../streams/index.ts';

/** Where the chunk that was found stands, to be cited. */
export interface HitSource {
  document: string;
  version: number;
  title: string | null;
  url: string | null;
  /** The headings above it, outermost first. */
  heading: string[];
  /** Its places in the document's text, in UTF-16 code units: one, unless the document says the same several times. */
  ranges: { start: number; end: number }[];
}

/** The sources of these records at the pinned instant; null for one that is no chunk of a document. */
export async function sourcesOf(pinned: Pinned, records: readonly StreamRecord[]): Promise<(HitSource | null)[]> {
  if (pinned.definition.documents === undefined) return records.map(() => null);
  const chunks = records.map(record => chunkRow(record));
  const ids = [...new Set(chunks.flatMap(chunk => (chunk === null ? [] : [chunk.document])))];
  const found = await lookupRows(pinned, ids.map(utf8));
  const rows = new Map<string, DocumentRow | null>(
    ids.map((id, index) => [id, found[index] === null ? null : documentRow(found[index].record)]),
  );
  return chunks.map(chunk => {
    const row = chunk === null ? null : (rows.get(chunk.document) ?? null);
    if (chunk === null || row === null) return null;
    const { id: document, version, title, url, manifest } = row;
    const ranges = manifest.places.flatMap(([hash, start, end]) => (hash === chunk.hash ? [{ start, end }] : []));
    return { document, version, title, url, heading: chunk.heading, ranges };
  });
}
