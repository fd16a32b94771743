import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import { type DocumentInput, documentTooLarge } from '../documents/document-input.ts';
import type { IngestProgress } from './ingest-source.ts';
import { listSources, type SourceFile, sourceError } from './source-file.ts';

/** Where documents go: the embedded engine and the HTTP client both are one. */
export interface DocumentTarget {
  putDocument(
    stream: string,
    id: string,
    document: DocumentInput,
  ): Promise<{ unchanged: boolean; chunks: { added: number; kept: number; removed: number } }>;
  deleteDocument(stream: string, id: string): Promise<{ chunks: { removed: number } }>;
  listDocuments(
    stream: string,
    options: { limit: number; after?: string },
  ): Promise<{ documents: { document: string; contentHash: string }[]; next: string | null }>;
}

export interface DocumentIngestOptions {
  /** Put before the path of every file to make its id; default none. */
  prefix?: string;
  /** Delete documents below the prefix, of an extension that is ingested, whose file is gone. Default false. */
  deleteMissing?: boolean;
  onProgress?(progress: IngestProgress): void;
}

export interface DocumentIngestSummary {
  files: number;
  /** Written, anew or again. */
  documents: number;
  unchanged: number;
  deleted: number;
  chunks: { added: number; kept: number; removed: number };
  /** By the name of the file. */
  rejected: { file: string; code: string; message: string }[];
}

const PAGE = 1000;
/** Puts under way: they share commits. */
const CONCURRENCY = 4;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** One document is wrong; the others are not. */
const OF_ONE_FILE = ['TW_SOURCE', 'TW_DOCUMENT_ID', 'TW_DOCUMENT_TOO_LARGE', 'TW_BAD_REQUEST'] as const;

/** Whether a name is one of a document. */
export function isDocumentFile(file: Pick<SourceFile, 'format'>): boolean {
  return file.format === 'markdown' || file.format === 'text';
}

/**
 * Puts every Markdown and text file at a path as a document whose id is its path in the folder. Files whose content is there already are not
 * sent. A file that cannot be a document is reported, and keeps no other back. Throws TW_SOURCE, TW_SETTING for `deleteMissing` without a folder.
 */
export async function ingestDocuments(
  path: string,
  stream: string,
  target: DocumentTarget,
  { prefix = '', deleteMissing = false, onProgress }: DocumentIngestOptions = {},
): Promise<DocumentIngestSummary> {
  const files = (await listSources(path, null)).filter(isDocumentFile);
  if (deleteMissing && files.some(file => file.path === path)) {
    throw new TailwaterError('TW_SETTING', { detail: 'To delete what is missing, name the folder that it is missing from.' });
  }
  const known = await contentHashes(stream, target);
  const summary: DocumentIngestSummary = {
    files: files.length,
    documents: 0,
    unchanged: 0,
    deleted: 0,
    chunks: { added: 0, kept: 0, removed: 0 },
    rejected: [],
  };
  const progress = progressOf(files, summary, onProgress);
  const waiting = files.values();
  const worker = async (): Promise<void> => {
    for (const file of waiting) {
      await putFile(file, prefix + idOf(file.name), known, { stream, target, summary });
      progress(file);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  summary.rejected.sort((a, b) => (a.file < b.file ? -1 : 1));
  const present = new Set(files.map(file => prefix + idOf(file.name)));
  const missing = deleteMissing ? [...known.keys()].filter(id => isBelow(prefix, id) && !present.has(id)) : [];
  for (const id of missing) {
    summary.chunks.removed += (await target.deleteDocument(stream, id)).chunks.removed;
    summary.deleted++;
  }
  return summary;
}

interface Run {
  stream: string;
  target: DocumentTarget;
  summary: DocumentIngestSummary;
}

async function putFile(file: SourceFile, id: string, known: ReadonlyMap<string, string>, run: Run): Promise<void> {
  const { stream, target, summary } = run;
  try {
    const bytes = await contentOf(file);
    const hash = createHash('sha256').update(bytes).digest('hex');
    if (known.get(id) === hash) {
      summary.unchanged++;
      return;
    }
    const text = bytes.toString('utf8');
    const { chunks } = await target.putDocument(stream, id, file.format === 'markdown' ? { markdown: text } : { text });
    summary.documents++;
    for (const name of ['added', 'kept', 'removed'] as const) summary.chunks[name] += chunks[name];
  } catch (error) {
    if (!isTailwaterError(error, ...OF_ONE_FILE)) throw error;
    summary.rejected.push({ file: file.name, code: error.code, message: error.message });
  }
}

async function contentOf({ path, bytes, gzip }: SourceFile): Promise<Buffer> {
  if (bytes > MAX_FILE_BYTES) throw documentTooLarge(`The file has ${bytes} bytes.`);
  try {
    const content = await readFile(path);
    const text = gzip ? gunzipSync(content, { maxOutputLength: MAX_FILE_BYTES }) : content;
    if (isUtf8(text)) return text;
  } catch (error) {
    throw sourceError(path, error);
  }
  throw new TailwaterError('TW_SOURCE', { detail: `${path} is not valid UTF-8.` });
}

async function contentHashes(stream: string, target: DocumentTarget): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (let after: string | null | undefined; after !== null; ) {
    const page = await target.listDocuments(stream, { limit: PAGE, ...(after === undefined ? {} : { after }) });
    for (const { document, contentHash } of page.documents) hashes.set(document, contentHash);
    after = page.next;
  }
  return hashes;
}

/** What an id cannot hold is percent-encoded. */
function idOf(name: string): string {
  return name.replaceAll(/[#\p{Cc}]/gu, character => encodeURIComponent(character));
}

function isBelow(prefix: string, id: string): boolean {
  return id.startsWith(prefix) && /\.(md|markdown|txt)(\.gz)?$/i.test(id);
}

/** Says after each file how far it is; bytes as they are on disk. */
function progressOf(
  files: readonly SourceFile[],
  summary: DocumentIngestSummary,
  onProgress?: (progress: IngestProgress) => void,
): (file: SourceFile) => void {
  const bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0);
  let bytesDone = 0;
  let filesDone = 0;
  return file => {
    bytesDone += file.bytes;
    filesDone++;
    const { chunks, rejected } = summary;
    const counts = { records: chunks.added, rejected: rejected.length };
    onProgress?.({ file: file.name, filesDone, files: files.length, bytesDone, bytesTotal, ...counts });
  };
}
