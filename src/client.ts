import { randomId, systemClock, systemRandom, TailwaterError, toBase64Url, utf8 } from './base/index.ts';
import { ClientContexts } from './client-contexts.ts';
import {
  type DeleteDocumentAnswer,
  type DocumentAnswer,
  type DocumentInput,
  type DocumentPage,
  type DocumentVersionOptions,
  documentPath,
  type ListDocumentsOptions,
  type PutDocumentAnswer,
  putDocumentRequest,
} from './client-documents.ts';
import { ClientFeatures } from './client-features.ts';
import { ClientFollower } from './client-follow.ts';
import { ClientKeys } from './client-keys.ts';
import { ClientLive } from './client-live.ts';
import { ClientTransport, type HttpRequest, type TailwaterClientOptions } from './client-transport.ts';
import type { ContextAnswer, ContextRequest } from './context/index.ts';
import type { QueryRequest } from './retrieval/index.ts';
import type {
  ApiRecord,
  AppendAnswer,
  AppendOptions,
  AppendRecord,
  CollectApiOptions,
  CollectionReport,
  FeaturesApi,
  FollowEvent,
  FollowOptions,
  Health,
  LiveApi,
  PositionAnswer,
  QueryAnswer,
  ReadAnswer,
  ReadOptions,
  RowAnswer,
  ScanAnswer,
  ScanOptions,
  SourceProgress,
  SqlOptions,
  SqlResult,
  StepAnswer,
  StepPlace,
  StepRequest,
  StreamInfo,
  TableInfo,
  TagInfo,
  TagOptions,
  TailwaterApi,
} from './server/index.ts';
import type { Consistency, Freshness } from './snapshot/index.ts';
import type { StreamChanges, StreamSettings } from './streams/index.ts';

export { type ErrorCode, TailwaterError } from './base/index.ts';
export type { TailwaterClientOptions } from './client-transport.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };
const NDJSON_HEADERS = { 'content-type': 'application/x-ndjson' };
const MAX_REMEMBERED_STREAMS = 1000;
/** As many as a server takes. */
const MAX_SQL_TOKENS = 100;
const DEADLINE_MARGIN_MS = 5000;

/**
 * A Tailwater server over HTTP, with the methods of the embedded engine. Answers are parsed with JSON.parse unless `parse` is given:
 * it rounds numbers beyond 2^53, the server does not. Every rejection is a TailwaterError with the server's code, or TW_UNREACHABLE, TW_DEADLINE or
 * TW_OUTCOME_UNKNOWN when there was no answer.
 */
export class TailwaterClient implements TailwaterApi {
  readonly #transport: ClientTransport;
  readonly #options: TailwaterClientOptions;
  /** The last token seen, stream by stream, least recently used first. */
  readonly #tokens = new Map<string, string>();
  readonly #closed = new AbortController();
  readonly features: FeaturesApi;
  readonly contexts: ClientContexts;
  readonly keys: ClientKeys;
  readonly live: LiveApi;
  readonly #follower: ClientFollower;

  constructor(options: TailwaterClientOptions) {
    this.#options = options;
    this.#transport = new ClientTransport(options);
    const sender = {
      json: <T>(request: HttpRequest) => this.#json<T>(request),
      text: (request: HttpRequest) => this.#send(request),
      timeoutMs: this.#transport.timeoutMs,
    };
    this.#follower = new ClientFollower(this.#transport, options.clock ?? systemClock);
    const parse = <T>(text: string): T => this.#parse(text) as T;
    this.live = new ClientLive({ follower: this.#follower, parse, until: signal => this.#until(signal) });
    this.features = new ClientFeatures(sender, this.#transport.timeoutMs * 10);
    this.contexts = new ClientContexts(sender);
    this.keys = new ClientKeys(sender);
  }

  /** Not bound to the tokens of single streams: it is strong unless `consistency` says otherwise. */
  context(request: ContextRequest): Promise<ContextAnswer> {
    return this.contexts.ask(request);
  }

  async createStream(name: string, settings: StreamSettings): Promise<StreamInfo> {
    const body = jsonText(settings);
    return this.#json({ method: 'PUT', path: streamPath(name), headers: JSON_HEADERS, body, repeatable: true });
  }

  getStream(name: string): Promise<StreamInfo> {
    return this.#json({ method: 'GET', path: streamPath(name), repeatable: true });
  }

  async listStreams(): Promise<StreamInfo[]> {
    const { streams } = await this.#json<{ streams: StreamInfo[] }>({ method: 'GET', path: '/v1/streams', repeatable: true });
    return streams;
  }

  changeStream(name: string, changes: StreamChanges): Promise<StreamInfo> {
    const sent = { method: 'PATCH', path: streamPath(name), headers: JSON_HEADERS, body: jsonText(changes), repeatable: true };
    return this.#json(sent);
  }

  async deleteStream(name: string): Promise<void> {
    this.#tokens.delete(name);
    await this.#send({ method: 'DELETE', path: streamPath(name), repeatable: false });
  }

  async append(name: string, records: readonly AppendRecord[], options: AppendOptions = {}): Promise<AppendAnswer> {
    return this.#append(name, '', JSON_HEADERS, jsonText({ records }), options);
  }

  appendNdjson(
    name: string,
    body: string | Uint8Array,
    options: AppendOptions & { envelope?: boolean } = {},
  ): Promise<AppendAnswer> {
    return this.#append(name, options.envelope === true ? '?envelope=record' : '', NDJSON_HEADERS, body, options);
  }

  async putDocument(
    stream: string,
    id: string,
    document: DocumentInput,
    options: DocumentVersionOptions = {},
  ): Promise<PutDocumentAnswer> {
    const request = putDocumentRequest(streamPath(stream), id, document, options);
    return this.#remember(stream, await this.#json<PutDocumentAnswer>(request));
  }

  async getDocument(stream: string, id: string, options: { consistency?: Consistency } = {}): Promise<DocumentAnswer> {
    const query = queryString(consistencyQuery(this.#consistency(stream, options.consistency)));
    const path = documentPath(streamPath(stream), id) + query;
    return this.#seen(stream, await this.#json<DocumentAnswer>({ method: 'GET', path, repeatable: true }), options.consistency);
  }

  async deleteDocument(stream: string, id: string, options: DocumentVersionOptions = {}): Promise<DeleteDocumentAnswer> {
    const path = documentPath(streamPath(stream), id) + queryString({ ...options });
    return this.#remember(stream, await this.#json<DeleteDocumentAnswer>({ method: 'DELETE', path, repeatable: false }));
  }

  async listDocuments(stream: string, options: ListDocumentsOptions = {}): Promise<DocumentPage> {
    const { consistency, ...page } = options;
    const query = queryString({ ...page, ...consistencyQuery(this.#consistency(stream, consistency)) });
    const path = `${streamPath(stream)}/documents${query}`;
    return this.#seen(stream, await this.#json<DocumentPage>({ method: 'GET', path, repeatable: true }), consistency);
  }

  /** Sent again when its reply was lost: the same step is never applied twice. What is read after it from its outputs includes it. */
  async step(request: StepRequest): Promise<StepAnswer> {
    const sent = { method: 'POST', path: '/v1/steps', headers: JSON_HEADERS, body: jsonText(request), repeatable: true };
    const answer = await this.#json<StepAnswer>(sent);
    for (const { stream } of request.outputs ?? []) this.#remember(stream, answer);
    return answer;
  }

  stepPosition(place: StepPlace): Promise<PositionAnswer> {
    return this.#json({ method: 'GET', path: `/v1/steps${queryString({ ...place })}`, repeatable: true });
  }

  async read(name: string, options: ReadOptions = {}): Promise<ReadAnswer> {
    const { consistency, ...rest } = options;
    const query = queryString({ ...rest, ...consistencyQuery(this.#consistency(name, consistency)) });
    const answer = await this.#json<ReadAnswer>({ method: 'GET', path: `${streamPath(name)}/records${query}`, repeatable: true });
    return this.#seen(name, answer, consistency);
  }

  /** Resumes by token after a lost connection, without gaps and without repeating a record. Ends when the signal aborts. */
  async *follow(name: string, options: FollowOptions = {}): AsyncGenerator<FollowEvent> {
    const { partition, from = 'latest', after, signal } = options;
    const request = (token: string | undefined): HttpRequest => ({
      method: 'GET',
      path: `${streamPath(name)}/records${queryString({ partition, ...(token === undefined ? { from } : {}) })}`,
      headers: { accept: 'text/event-stream', ...(token === undefined ? {} : { 'last-event-id': token }) },
      repeatable: true,
    });
    for await (const { event, data, id } of this.#follower.events({ after, request, signal: this.#until(signal) })) {
      if (event === 'record') yield { token: id, record: this.#parse(data) as ApiRecord };
    }
  }

  async query(name: string, request: QueryRequest): Promise<QueryAnswer> {
    const body = jsonText({ ...request, consistency: this.#consistency(name, request.consistency) });
    const timeoutMs = Math.max(this.#transport.timeoutMs, (request.deadlineMs ?? 0) + DEADLINE_MARGIN_MS);
    const sent = { method: 'POST', path: `${streamPath(name)}/query`, headers: JSON_HEADERS, body, repeatable: true, timeoutMs };
    return this.#seen(name, await this.#json<QueryAnswer>(sent), request.consistency);
  }

  /** Rows come as they are read. A body that breaks off throws TW_UNREACHABLE: what came before is right, and not all. */
  async scan(name: string, options: ScanOptions = {}): Promise<ScanAnswer> {
    const { format = 'arrow', columns, filter, shard, signal, consistency, ...rest } = options;
    const query = queryString({
      ...rest,
      format,
      columns: columns?.join(','),
      filter: filter === undefined ? undefined : JSON.stringify(filter),
      shard: shard === undefined ? undefined : `${shard.index}/${shard.count}`,
      ...consistencyQuery(this.#consistency(name, consistency)),
    });
    if (this.#closed.signal.aborted) throw new TailwaterError('TW_CLOSED', { detail: 'This client was closed.' });
    const sent = { method: 'GET', path: `${streamPath(name)}/scan${query}`, repeatable: true };
    const { headers, body } = await this.#transport.response(sent, this.#until(signal));
    const token = headers.get('tailwater-token') ?? '';
    const freshness: Freshness = JSON.parse(headers.get('tailwater-freshness') ?? 'null');
    return this.#seen(name, { format, freshness, token, body: wholeBody(name, body!, token) }, consistency);
  }

  /** Includes what this client wrote to, and saw of, the streams that the query names, unless `consistency` says otherwise. */
  async sql(sql: string, options: SqlOptions = {}): Promise<SqlResult> {
    const consistency = options.consistency ?? this.#sqlConsistency(sql);
    const timeoutMs = Math.max(this.#transport.timeoutMs, (options.deadlineMs ?? 30_000) + DEADLINE_MARGIN_MS);
    const body = jsonText({ ...options, ...(consistency === undefined ? {} : { consistency }), sql });
    return this.#json({ method: 'POST', path: '/v1/sql', headers: JSON_HEADERS, body, repeatable: true, timeoutMs });
  }

  async getRow(name: string, key: string | Uint8Array, options: { consistency?: Consistency } = {}): Promise<RowAnswer> {
    const path = rowPath(name, key, consistencyQuery(this.#consistency(name, options.consistency)));
    return this.#seen(name, await this.#json<RowAnswer>({ method: 'GET', path, repeatable: true }), options.consistency);
  }

  async deleteRow(name: string, key: string | Uint8Array): Promise<AppendAnswer> {
    return this.#remember(
      name,
      await this.#json<AppendAnswer>({ method: 'DELETE', path: rowPath(name, key, {}), repeatable: false }),
    );
  }

  compact(name: string, options: { full?: boolean } = {}): Promise<TableInfo> {
    const path = `${streamPath(name)}/compact`;
    const timeoutMs = this.#transport.timeoutMs * 10;
    return this.#json({
      method: 'POST',
      path,
      headers: JSON_HEADERS,
      body: JSON.stringify(options),
      repeatable: true,
      timeoutMs,
    });
  }

  /** Compacts the stream first, so it may take as long as `compact`. */
  createTag(name: string, tag: string, options: TagOptions = {}): Promise<TagInfo> {
    const body = jsonText({ name: tag, ...options });
    const timeoutMs = this.#transport.timeoutMs * 10;
    const sent = { method: 'POST', path: `${streamPath(name)}/tags`, headers: JSON_HEADERS, body, repeatable: false, timeoutMs };
    return this.#json(sent);
  }

  async listTags(name: string): Promise<TagInfo[]> {
    const sent = { method: 'GET', path: `${streamPath(name)}/tags`, repeatable: true };
    return (await this.#json<{ tags: TagInfo[] }>(sent)).tags;
  }

  async deleteTag(name: string, tag: string): Promise<void> {
    const path = `${streamPath(name)}/tags/${encodeURIComponent(tag.toWellFormed())}`;
    await this.#send({ method: 'DELETE', path, repeatable: false });
  }

  /** Waits for the server's grace time. */
  collect(options: CollectApiOptions = {}): Promise<CollectionReport> {
    const timeoutMs = this.#transport.timeoutMs * 10;
    const body = JSON.stringify(options);
    return this.#json({ method: 'POST', path: '/v1/admin/collect', headers: JSON_HEADERS, body, repeatable: true, timeoutMs });
  }

  getTable(name: string): Promise<TableInfo> {
    return this.#json({ method: 'GET', path: `${streamPath(name)}/table`, repeatable: true });
  }

  health(): Promise<Health> {
    return this.#json({ method: 'GET', path: '/healthz', repeatable: true });
  }

  metrics(): Promise<string> {
    return this.#send({ method: 'GET', path: '/metrics', repeatable: true });
  }

  async sourceProgress(sources: readonly string[]): Promise<SourceProgress[]> {
    const body = JSON.stringify({ sources });
    const sent = { method: 'POST', path: '/v1/sources/progress', headers: JSON_HEADERS, body, repeatable: true };
    return (await this.#json<{ progress: SourceProgress[] }>(sent)).progress;
  }

  /** Ends live follows and refuses further calls; the server is not touched. */
  async close(): Promise<void> {
    this.#closed.abort();
  }

  /** Every append carries an Idempotency-Key, so that it can be sent again when its reply was lost. */
  async #append(
    name: string,
    query: string,
    type: Record<string, string>,
    body: string | Uint8Array,
    options: AppendOptions,
  ): Promise<AppendAnswer> {
    const { idempotencyKey = randomId(this.#options.random ?? systemRandom), source } = options;
    const headers: Record<string, string> = { ...type, 'idempotency-key': headerText(idempotencyKey) };
    if (source !== undefined) headers['tailwater-source'] = asciiJson(source);
    const sent = { method: 'POST', path: `${streamPath(name)}/records${query}`, headers, body, repeatable: true };
    return this.#remember(name, await this.#json<AppendAnswer>(sent));
  }

  /** When what lasts ends: by its signal, or with this client. */
  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
  }

  #parse(text: string): unknown {
    return this.#options.parse === undefined ? JSON.parse(text) : this.#options.parse(text);
  }

  #consistency(name: string, given: Consistency | undefined): Consistency | undefined {
    if (given !== undefined || this.#options.readYourWrites === false) return given;
    const token = this.#tokens.get(name);
    return token === undefined ? undefined : { atLeast: token };
  }

  /** Whoever reads a stream writes its name, in any case; the tokens used last, should there be too many. */
  #sqlConsistency(sql: string): Consistency | undefined {
    if (this.#options.readYourWrites === false) return undefined;
    const text = sql.toLowerCase();
    const tokens = [...this.#tokens].flatMap(([name, token]) => (text.includes(name.toLowerCase()) ? [token] : []));
    return tokens.length === 0 ? undefined : { atLeast: tokens.slice(-MAX_SQL_TOKENS) };
  }

  /** An answer about the past says nothing about what a later read must include. */
  #seen<T extends { token: string }>(name: string, answer: T, consistency: Consistency | undefined): T {
    return consistency?.asOf === undefined ? this.#remember(name, answer) : answer;
  }

  #remember<T extends { token: string }>(name: string, answer: T): T {
    this.#tokens.delete(name);
    this.#tokens.set(name, answer.token);
    if (this.#tokens.size > MAX_REMEMBERED_STREAMS) this.#tokens.delete(this.#tokens.keys().next().value!);
    return answer;
  }

  async #json<T>(request: HttpRequest): Promise<T> {
    return this.#parse(await this.#send(request)) as T;
  }

  async #send(request: HttpRequest): Promise<string> {
    if (this.#closed.signal.aborted) throw new TailwaterError('TW_CLOSED', { detail: 'This client was closed.' });
    return this.#transport.send(request);
  }
}

async function* wholeBody(name: string, body: ReadableStream<Uint8Array>, token: string): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw new TailwaterError('TW_UNREACHABLE', {
      detail: `The scan of "${name}" broke off before its end; rows are missing. Ask again with asOf and, after the last row read, afterSeq.`,
      data: { resume: { asOf: token } },
      cause: error,
    });
  }
}

/** Throws TW_BAD_REQUEST for what JSON cannot say: cycles, bigints, nesting without end. */
function jsonText(body: object): string {
  try {
    return JSON.stringify(body);
  } catch (error) {
    throw new TailwaterError('TW_BAD_REQUEST', { detail: `The request cannot be written as JSON: ${(error as Error).message}.` });
  }
}

function streamPath(name: string): string {
  return `/v1/streams/${encodeURIComponent(name.toWellFormed())}`;
}

/** Keys that a path cannot carry as they are (bytes, nothing, dots that mean folders) go as base64url. */
function rowPath(name: string, key: string | Uint8Array, query: Record<string, unknown>): string {
  const plain = typeof key === 'string' && !['', '.', '..'].includes(key);
  const written = plain ? encodeURIComponent(key.toWellFormed()) : toBase64Url(typeof key === 'string' ? utf8(key) : key);
  return `${streamPath(name)}/rows/${written}${queryString(plain ? query : { ...query, keyEncoding: 'base64url' })}`;
}

/** A query string has no objects: a tag is written as `tag:name`. */
function consistencyQuery({ asOf, ...others }: Consistency = {}): Record<string, unknown> {
  return { ...others, asOf: typeof asOf === 'object' ? `tag:${asOf.tag}` : asOf };
}

function queryString(values: Record<string, unknown>): string {
  const given = Object.entries(values).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** What a header cannot carry is percent-encoded; a key needs only to be the same every time. */
function headerText(key: string): string {
  return /^[\x20-\x7e]*$/.test(key) ? key : encodeURIComponent(key.toWellFormed());
}

/** JSON that a header can carry: everything beyond ASCII is escaped. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replaceAll(/[\u0080-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
