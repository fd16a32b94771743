import { TailwaterError } from './base/index.ts';
import type { HttpRequest } from './client-transport.ts';
import type { DocumentInput } from './ingest/index.ts';
import type {
  DeleteDocumentAnswer,
  DocumentAnswer,
  DocumentPage,
  DocumentVersionOptions,
  ListDocumentsOptions,
  PutDocumentAnswer,
} from './server/index.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };

/** Requests about the documents of the stream at `path`. */
export function putDocumentRequest(
  path: string,
  id: string,
  document: DocumentInput,
  { ifVersion }: DocumentVersionOptions,
): HttpRequest {
  const query = ifVersion === undefined ? '' : `?ifVersion=${ifVersion}`;
  // Put twice, a document is there once; but the second time it is not at the version any more.
  const repeatable = ifVersion === undefined;
  const body = JSON.stringify(document);
  return { method: 'PUT', path: documentPath(path, id) + query, headers: JSON_HEADERS, body, repeatable };
}

/** Throws TW_DOCUMENT_ID for what a path cannot name. */
export function documentPath(path: string, id: string): string {
  if (['', '.', '..'].includes(id)) throw new TailwaterError('TW_DOCUMENT_ID', { detail: `"${id}" is no id of a document.` });
  return `${path}/documents/${encodeURIComponent(id.toWellFormed())}`;
}

export type {
  DeleteDocumentAnswer,
  DocumentAnswer,
  DocumentInput,
  DocumentPage,
  DocumentVersionOptions,
  ListDocumentsOptions,
  PutDocumentAnswer,
};
