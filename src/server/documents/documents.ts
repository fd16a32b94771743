import { createHash } from 'node:crypto';
import { type Clock, isTailwaterError, TailwaterError, utf8 } from '../../base/index.ts';
import { type CutDocument, cutDocument } from '../../embeddings/index.ts';
import {
  type AtomicReceipt,
  checkDocument,
  checkDocumentId,
  type DocumentInput,
  type DocumentPlan,
  type DocumentRow,
  documentRow,
  documentTooLarge,
  planDelete,
  planPut,
} from '../../ingest/index.ts';
import { type Consistency, lookupRow, type Pinned, type Scanner, tokenOf } from '../../snapshot/index.ts';
import { encodeToken, partitionOfKey, requestedChunks, type StreamDefinition } from '../../streams/index.ts';
import type {
  DeleteDocumentAnswer,
  DocumentAnswer,
  DocumentPage,
  DocumentVersionOptions,
  EngineDocuments,
  ListDocumentsOptions,
  PutDocumentAnswer,
} from '../documents-api.ts';
import { listDocuments } from './list-documents.ts';
import { readDocument } from './read-document.ts';

export interface DocumentsOptions {
  /** TW_STREAM_NOT_FOUND. */
  definition(name: string): StreamDefinition;
  pin(definition: StreamDefinition, consistency?: Consistency): Promise<Pinned>;
  /** All records in one segment or none, guarded. */
  append(
    definition: StreamDefinition,
    records: DocumentPlan['records'],
    guard: { name: string; afterSeq: number },
  ): Promise<AtomicReceipt>;
  scanner: Scanner;
  clock: Clock;
}

/**
 * Documents of streams that hold them. A change is planned on one instant and written as one segment; when another change of the same
 * document came first it is planned again, so that the last one in the log has won wholly.
 */
export class Documents implements EngineDocuments {
  readonly #options: DocumentsOptions;

  constructor(options: DocumentsOptions) {
    this.#options = options;
  }

  async put(
    stream: string,
    id: string,
    input: DocumentInput,
    { ifVersion }: DocumentVersionOptions = {},
  ): Promise<PutDocumentAnswer> {
    const definition = this.#options.definition(stream);
    const settings = requireDocuments(definition);
    const given = checkDocument(id, input, chunking => requestedChunks(settings, chunking));
    let cut: CutDocument | null = null;
    for (;;) {
      const pinned = await this.#options.pin(definition, { strong: true });
      const current = await currentRow(pinned, id);
      requireVersion(id, current, ifVersion);
      if (current?.manifest.inputHash === given.inputHash) return unchanged(current, tokenOf(pinned));
      cut ??= await cutDocument(given.text, { ...given.chunking, markdown: given.markdown }, this.#options.clock);
      const plan = planPut(given, cut, current);
      const result = await this.#append(definition, id, plan, pinned.throughSegment);
      if (result === null) continue;
      const version =
        result.partitions.find(each => each.partition === partitionOfKey(utf8(id), definition.partitions))!.first + 1;
      return { document: id, version, unchanged: false, chunks: plan.chunks, token: encodeToken(result.position) };
    }
  }

  async remove(stream: string, id: string, { ifVersion }: DocumentVersionOptions = {}): Promise<DeleteDocumentAnswer> {
    const definition = this.#options.definition(stream);
    requireDocuments(definition);
    checkDocumentId(id);
    for (;;) {
      const pinned = await this.#options.pin(definition, { strong: true });
      const current = await currentRow(pinned, id);
      requireVersion(id, current, ifVersion);
      if (current === null) throw notFound(definition, id);
      const plan = planDelete(current);
      const result = await this.#append(definition, id, plan, pinned.throughSegment);
      if (result === null) continue;
      return { document: id, chunks: { removed: plan.chunks.removed }, token: encodeToken(result.position) };
    }
  }

  async get(stream: string, id: string, consistency?: Consistency): Promise<DocumentAnswer> {
    const definition = this.#options.definition(stream);
    requireDocuments(definition);
    checkDocumentId(id);
    const pinned = await this.#options.pin(definition, consistency);
    const row = await currentRow(pinned, id);
    if (row === null) throw notFound(definition, id);
    return readDocument(pinned, row, this.#options.clock.nowMs());
  }

  async list(stream: string, options: ListDocumentsOptions = {}): Promise<DocumentPage> {
    const definition = this.#options.definition(stream);
    requireDocuments(definition);
    return listDocuments(this.#options.scanner, definition, options);
  }

  /** Null: another change came first. */
  async #append(
    definition: StreamDefinition,
    id: string,
    { records }: DocumentPlan,
    afterSeq: number,
  ): Promise<AtomicReceipt | null> {
    try {
      return await this.#options.append(definition, records, { name: guardOf(definition, id), afterSeq });
    } catch (error) {
      if (isTailwaterError(error, 'TW_VERSION_MISMATCH')) return null;
      if (!isTailwaterError(error, 'TW_BODY_TOO_LARGE', 'TW_RECORD_TOO_LARGE')) throw error;
      throw documentTooLarge(`Document "${id}" with its ${records.length} rows cannot be written at once: ${error.message}`);
    }
  }
}

function requireDocuments(definition: StreamDefinition): NonNullable<StreamDefinition['documents']> {
  if (definition.documents !== undefined) return definition.documents;
  throw new TailwaterError('TW_NOT_DOCUMENTS', { detail: `Stream "${definition.name}" was not created to hold documents.` });
}

async function currentRow(pinned: Pinned, id: string): Promise<DocumentRow | null> {
  const found = await lookupRow(pinned, utf8(id));
  return found === null ? null : documentRow(found.record);
}

function requireVersion(id: string, current: DocumentRow | null, ifVersion: number | undefined): void {
  const version = current?.version ?? 0;
  if (ifVersion === undefined || ifVersion === version) return;
  throw new TailwaterError('TW_VERSION_MISMATCH', {
    detail: `Document "${id}" is at version ${version}, not ${ifVersion}.`,
    data: { version },
  });
}

function unchanged({ id, version, manifest }: DocumentRow, token: string): PutDocumentAnswer {
  const total = new Set(manifest.places.map(([hash]) => hash)).size;
  return { document: id, version, unchanged: true, chunks: { total, added: 0, kept: total, removed: 0 }, token };
}

function notFound({ name }: StreamDefinition, id: string): TailwaterError {
  return new TailwaterError('TW_DOCUMENT_NOT_FOUND', { detail: `Stream "${name}" has no document "${id}".` });
}

/** Of bounded length whatever the id. */
function guardOf({ incarnation }: StreamDefinition, id: string): string {
  return `document:${incarnation}:${createHash('sha256').update(id).digest('base64url')}`;
}
