import type { JsonObject } from '../base/index.ts';
import type { DocumentInput } from '../ingest/index.ts';
import type { Consistency, Freshness } from '../snapshot/index.ts';
import type { ChunkSettings } from '../streams/index.ts';

export interface DocumentVersionOptions {
  /** The version that the caller read, 0 for none: TW_VERSION_MISMATCH when it is another one. */
  ifVersion?: number;
}

export interface PutDocumentAnswer {
  document: string;
  /** Rises with every change of the document. */
  version: number;
  /** The same document was there already: nothing was written. */
  unchanged: boolean;
  /** Chunks of the document: those written, those left as they were, and those of the version before that are gone. */
  chunks: { total: number; added: number; kept: number; removed: number };
  token: string;
}

export interface DeleteDocumentAnswer {
  document: string;
  chunks: { removed: number };
  token: string;
}

export interface DocumentSummary {
  document: string;
  version: number;
  title: string | null;
  url: string | null;
  metadata: JsonObject | null;
  /** Whether it is cut at Markdown headings. */
  markdown: boolean;
  /** SHA-256 of the text as UTF-8, hexadecimal. */
  contentHash: string;
  /** UTF-16 code units of the text. */
  length: number;
  /** How it was cut. */
  chunking: ChunkSettings;
  /** Rows of it that are searched. */
  chunkCount: number;
}

/** Its text is `text.slice(start, end)` of the document's. */
export interface DocumentPart {
  /** The id of hits on this chunk. */
  id: string;
  /** UTF-16 code units. */
  start: number;
  end: number;
  /** The headings above it, outermost first. */
  heading: string[];
}

export interface DocumentAnswer extends DocumentSummary {
  /** Exactly as it was put. */
  text: string;
  chunks: DocumentPart[];
  freshness: Freshness;
  token: string;
}

export interface ListDocumentsOptions {
  /** 1..1000, default 100. */
  limit?: number;
  /** `next` of the page before. */
  after?: string;
  consistency?: Consistency;
}

export interface DocumentPage {
  /** Those that were changed longest ago first: one that changes while pages are read comes again, and none is missed. */
  documents: DocumentSummary[];
  /** Null: there are no more. */
  next: string | null;
  freshness: Freshness;
  token: string;
}

/** Documents: the same on the embedded engine and the HTTP client. Every rejection is a TailwaterError. */
export interface DocumentsApi {
  /** Writes a document, or replaces it: readers see all of the old one or all of the new one. TW_NOT_DOCUMENTS, TW_DOCUMENT_ID, TW_DOCUMENT_TOO_LARGE. */
  putDocument(stream: string, id: string, document: DocumentInput, options?: DocumentVersionOptions): Promise<PutDocumentAnswer>;
  /** TW_DOCUMENT_NOT_FOUND. */
  getDocument(stream: string, id: string, options?: { consistency?: Consistency }): Promise<DocumentAnswer>;
  /** With all its chunks, at once. TW_DOCUMENT_NOT_FOUND. */
  deleteDocument(stream: string, id: string, options?: DocumentVersionOptions): Promise<DeleteDocumentAnswer>;
  listDocuments(stream: string, options?: ListDocumentsOptions): Promise<DocumentPage>;
}

/** The same by shorter names, as the engine has it for its faces. */
export interface EngineDocuments {
  put: DocumentsApi['putDocument'];
  get(stream: string, id: string, consistency?: Consistency): Promise<DocumentAnswer>;
  remove: DocumentsApi['deleteDocument'];
  list: DocumentsApi['listDocuments'];
}
