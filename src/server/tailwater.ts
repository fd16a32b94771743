import type { ContextAnswer, ContextRequest } from '../context/index.ts';
import type { DocumentInput } from '../ingest/index.ts';
import type { QueryRequest } from '../retrieval/index.ts';
import type { Consistency } from '../snapshot/index.ts';
import type { StreamChanges, StreamSettings } from '../streams/index.ts';
import type {
  AppendAnswer,
  AppendOptions,
  AppendRecord,
  CollectApiOptions,
  CollectionReport,
  FollowEvent,
  FollowOptions,
  Health,
  QueryAnswer,
  ReadAnswer,
  ReadOptions,
  RowAnswer,
  ScanAnswer,
  ScanOptions,
  SourceProgress,
  SqlOptions,
  SqlResult,
  StreamInfo,
  TableInfo,
  TagInfo,
  TagOptions,
  TailwaterApi,
} from './api.ts';
import { keyBytes, parseReadFrom, toApiRecord, toQueryHit } from './api-mapping.ts';
import type { ContextsApi } from './contexts-api.ts';
import type {
  DeleteDocumentAnswer,
  DocumentAnswer,
  DocumentPage,
  DocumentVersionOptions,
  ListDocumentsOptions,
  PutDocumentAnswer,
} from './documents-api.ts';
import { Engine } from './engine.ts';
import type { FeaturesApi } from './features-api.ts';
import type { KeysApi } from './keys-api.ts';
import { embeddedLive, type LiveApi } from './live-api.ts';
import { openScanBody } from './scan-body.ts';
import type { EngineOptions } from './settings.ts';
import type { PositionAnswer, StepAnswer, StepPlace, StepRequest } from './steps-api.ts';

/** The embedded engine: the whole system on one data folder, in this process. The same methods as the HTTP client. */
export class Tailwater implements TailwaterApi {
  readonly #engine: Engine;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Throws TW_FOLDER_IN_USE when another process has the folder open. */
  static async open(options: EngineOptions): Promise<Tailwater> {
    return new Tailwater(await Engine.open(options));
  }

  /** What the faces (HTTP) are served from. */
  get engine(): Engine {
    return this.#engine;
  }

  get features(): FeaturesApi {
    return this.#engine.features;
  }

  get contexts(): ContextsApi {
    return this.#engine.contexts;
  }

  get live(): LiveApi {
    return embeddedLive(this.#engine);
  }

  get keys(): KeysApi {
    return this.#engine.keys;
  }

  createStream(name: string, settings: StreamSettings): Promise<StreamInfo> {
    return this.#engine.createStream(name, settings);
  }

  async getStream(name: string): Promise<StreamInfo> {
    return this.#engine.getStream(name);
  }

  listStreams(): Promise<StreamInfo[]> {
    return this.#engine.listStreams();
  }

  changeStream(name: string, changes: StreamChanges): Promise<StreamInfo> {
    return this.#engine.changeStream(name, changes);
  }

  deleteStream(name: string): Promise<void> {
    return this.#engine.deleteStream(name);
  }

  append(name: string, records: readonly AppendRecord[], options?: AppendOptions): Promise<AppendAnswer> {
    return this.#engine.append(name, { records }, options);
  }

  appendNdjson(
    name: string,
    body: string | Uint8Array,
    options: AppendOptions & { envelope?: boolean } = {},
  ): Promise<AppendAnswer> {
    const { envelope = false, ...rest } = options;
    return this.#engine.append(name, { ndjson: keyBytes(body), envelope }, rest);
  }

  putDocument(stream: string, id: string, document: DocumentInput, options?: DocumentVersionOptions): Promise<PutDocumentAnswer> {
    return this.#engine.documents.put(stream, id, document, options);
  }

  getDocument(stream: string, id: string, options?: { consistency?: Consistency }): Promise<DocumentAnswer> {
    return this.#engine.documents.get(stream, id, options?.consistency);
  }

  deleteDocument(stream: string, id: string, options?: DocumentVersionOptions): Promise<DeleteDocumentAnswer> {
    return this.#engine.documents.remove(stream, id, options);
  }

  listDocuments(stream: string, options?: ListDocumentsOptions): Promise<DocumentPage> {
    return this.#engine.documents.list(stream, options);
  }

  step(request: StepRequest): Promise<StepAnswer> {
    return this.#engine.steps.step(request);
  }

  stepPosition(place: StepPlace): Promise<PositionAnswer> {
    return this.#engine.steps.stepPosition(place);
  }

  async read(name: string, options: ReadOptions = {}): Promise<ReadAnswer> {
    const { from, ...rest } = options;
    const page = await this.#engine.read(name, { ...rest, ...(from === undefined ? {} : { from: parseReadFrom(from) }) });
    return { ...page, records: page.records.map(toApiRecord) };
  }

  async *follow(name: string, options: FollowOptions = {}): AsyncGenerator<FollowEvent> {
    const { from, ...rest } = options;
    await this.#engine.find(name);
    const live = this.#engine.follow(name, { ...rest, ...(from === undefined ? {} : { from: parseReadFrom(from) }) });
    for await (const { record, token } of live) yield { token, record: toApiRecord(record) };
  }

  async query(name: string, request: QueryRequest): Promise<QueryAnswer> {
    const { kind } = await this.#engine.find(name);
    const { hits, freshness, token } = await this.#engine.query(name, request);
    return { hits: hits.map(hit => toQueryHit(hit, kind)), freshness, token };
  }

  context(request: ContextRequest): Promise<ContextAnswer> {
    return this.#engine.context(request);
  }

  scan(name: string, options: ScanOptions = {}): Promise<ScanAnswer> {
    const { format = 'arrow', signal, ...request } = options;
    return openScanBody(this.#engine, name, format, request, signal);
  }

  async sql(sql: string, options: SqlOptions = {}): Promise<SqlResult> {
    const answer = await this.#engine.sql({ ...options, sql });
    return { ...answer, rows: answer.rows.map(row => JSON.parse(row)) };
  }

  async getRow(name: string, key: string | Uint8Array, options: { consistency?: Consistency } = {}): Promise<RowAnswer> {
    const row = await this.#engine.getRow(name, keyBytes(key), options.consistency);
    return { ...row, record: toApiRecord(row.record) };
  }

  deleteRow(name: string, key: string | Uint8Array): Promise<AppendAnswer> {
    return this.#engine.deleteRow(name, keyBytes(key));
  }

  compact(name: string, options?: { full?: boolean }): Promise<TableInfo> {
    return this.#engine.compact(name, options);
  }

  getTable(name: string): Promise<TableInfo> {
    return this.#engine.getTable(name);
  }

  createTag(name: string, tag: string, options?: TagOptions): Promise<TagInfo> {
    return this.#engine.createTag(name, tag, options);
  }

  listTags(name: string): Promise<TagInfo[]> {
    return this.#engine.listTags(name);
  }

  deleteTag(name: string, tag: string): Promise<void> {
    return this.#engine.deleteTag(name, tag);
  }

  collect(options?: CollectApiOptions): Promise<CollectionReport> {
    return this.#engine.collect(options);
  }

  health(): Promise<Health> {
    return this.#engine.health();
  }

  metrics(): Promise<string> {
    return this.#engine.metrics();
  }

  sourceProgress(sources: readonly string[]): Promise<SourceProgress[]> {
    return this.#engine.sourceProgress(sources);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
