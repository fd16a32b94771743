import { type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import { type DocumentRow, documentOf } from '../../ingest/index.ts';
import { ndjsonLines, type OpenScan, type Scanner } from '../../snapshot/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { DocumentPage, ListDocumentsOptions } from '../documents-api.ts';
import { summaryOf } from './read-document.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
const DOCUMENTS: JsonObject = { manifest: { $exists: true } };

/** A page of documents in the order in which they were last changed. TW_BAD_REQUEST. */
export async function listDocuments(
  scanner: Scanner,
  definition: StreamDefinition,
  { limit = DEFAULT_LIMIT, after, consistency }: ListDocumentsOptions,
): Promise<DocumentPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw bad(`"limit" must be an integer from 1 to ${MAX_LIMIT}`);
  const request = {
    filter: DOCUMENTS,
    ...(after === undefined ? {} : { afterSeq: seqOf(after) }),
    ...(consistency && { consistency }),
  };
  const scan = await scanner.scan(definition, request, undefined, limit + 1);
  const found = await rowsOf(scan);
  const page = found.slice(0, limit);
  const next = found.length > limit ? String(page[page.length - 1].seq) : null;
  return { documents: page.map(({ row }) => summaryOf(row)), next, freshness: scan.freshness, token: scan.token };
}

interface Listed {
  row: DocumentRow;
  seq: number;
}

async function rowsOf(scan: OpenScan): Promise<Listed[]> {
  const found: Listed[] = [];
  for await (const bytes of ndjsonLines(scan)) {
    for (const line of Buffer.from(bytes).toString('utf8').split('\n')) {
      if (line === '') continue;
      const columns = JSON.parse(line) as Record<string, JsonValue>;
      const row = documentOf(columns.manifest, Number(columns._offset));
      if (row !== null) found.push({ row, seq: Number(columns._seq) });
    }
  }
  return found;
}

function seqOf(after: string): number {
  if (/^\d{1,16}$/.test(after) && Number.isSafeInteger(Number(after))) return Number(after);
  throw bad('"after" must be the `next` of a page');
}

function bad(why: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${why}.` });
}
