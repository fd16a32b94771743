import type { JsonObject, JsonValue, Problem } from '../base/index.ts';
import type { ContextAnswer, ContextRequest } from '../context/index.ts';
import type { SourceProgress } from '../ingest/index.ts';
import type { TableState } from '../lakehouse/index.ts';
import type { HitSource, QueryRequest } from '../retrieval/index.ts';
import type { Consistency, Freshness, ScanRequest, SqlColumn, SqlRequest } from '../snapshot/index.ts';
import type { StreamChanges, StreamDefinition, StreamSettings, TableFormat } from '../streams/index.ts';
import type { CollectionReport } from './collect/report.ts';
import type { ContextsApi } from './contexts-api.ts';
import type { DocumentsApi } from './documents-api.ts';
import type { FeaturesApi } from './features-api.ts';
import type { KeysApi } from './keys-api.ts';
import type { LiveApi } from './live-api.ts';
import type { StepsApi } from './steps-api.ts';

/** Text when the bytes are valid UTF-8, else base64. */
export type ApiKey = string | { base64: string } | null;

export interface ApiRecord {
  partition: number;
  offset: number;
  key: ApiKey;
  /** Event time, ISO 8601. */
  time: string;
  /** Commit time, ISO 8601. */
  ingestedAt: string;
  headers: Record<string, string>;
  /** Null: a deletion in an upsert stream. */
  value: JsonValue;
}

export interface AppendRecord {
  key?: string | { base64: string };
  time?: string | number;
  headers?: Record<string, string>;
  value: JsonValue;
}

export interface AppendOptions {
  idempotencyKey?: string;
  source?: SourceProgress;
}

export interface AppendAnswer {
  token: string;
  accepted: number;
  partitions: { partition: number; first: number; last: number }[];
  rejected: { index: number; code: string; message: string }[];
}

export interface StreamInfo {
  definition: StreamDefinition;
  /** Per partition, the lowest offset that can be read: records below it may have expired. */
  earliest: number[];
  /** Per partition; -1: empty. */
  head: number[];
  watermark: number[];
  /** Records acknowledged and not yet in the table. */
  lag: number;
  /** Live rows, tail and table merged. */
  rows: number;
  /** Bytes of the tail in memory. */
  tailBytes: number;
  /** Columns of the table. */
  fields: { name: string; path: string; type: string }[];
}

export interface ReadOptions {
  /** Default 0. */
  partition?: number;
  /** earliest (default), latest, an offset, time:<ISO> (commit time) or event:<ISO>. */
  from?: string | number;
  /** 1..10000, default 100. */
  limit?: number;
  consistency?: Consistency;
}

export interface ReadAnswer {
  records: ApiRecord[];
  next: number;
  freshness: Freshness;
  token: string;
}

export interface FollowOptions {
  /** Default: all. */
  partition?: number;
  /** Default latest. Ignored when `after` is given. */
  from?: string | number;
  /** The token of the last record seen: resumes right after it. */
  after?: string;
  signal?: AbortSignal;
}

export interface FollowEvent {
  token: string;
  record: ApiRecord;
}

export interface QueryHit {
  /** Unique within the stream: the key's text in upsert streams, else `partition:offset`. */
  id: string;
  key: ApiKey;
  partition: number;
  offset: number;
  score: number;
  tier: 'tail' | 'table';
  ageMs: number;
  value: JsonObject;
  ranks: { text?: number; vector?: number };
  /** Where it stands in its document, for chunks of documents. */
  source?: HitSource;
}

export interface QueryAnswer {
  hits: QueryHit[];
  freshness: Freshness;
  token: string;
}

export interface RowAnswer {
  record: ApiRecord;
  tier: 'tail' | 'table';
  freshness: Freshness;
  token: string;
}

/** `compaction` moves rows from the tail into the table; `maintenance` is everything else. */
export interface TableJob {
  kind: 'compaction' | 'maintenance';
  /** ISO 8601. */
  startedAt: string;
  /** Table states committed so far. */
  commits: number;
}

/** A dataset that other clients of its format open in place: this version is what the table state names. */
export interface DatasetPlace {
  /** On the machine of the server: a Lance dataset, or the metadata file of an Iceberg table. */
  path: string;
  version: number;
}

export interface TableDatasets {
  format: TableFormat;
  rows: DatasetPlace;
  /** Null in append streams. */
  changes: DatasetPlace | null;
}

export interface TagOptions {
  /** A token or an ISO 8601 time; default: everything acknowledged before the call, which is compacted for it. */
  asOf?: string;
}

/** A named instant of a stream, which stays when history has passed. */
export interface TagInfo {
  stream: string;
  name: string;
  /** Names the same instant, in `asOf`. */
  token: string;
  /** Commit time of the instant, ISO 8601. */
  asOf: string;
  createdAt: string;
  rows: number;
  tableState: number;
  datasets: TableDatasets;
}

export interface TableInfo {
  stream: string;
  /** Null while nothing has been compacted. */
  state: TableState | null;
  /** Where the state's content lies; null without a table. */
  datasets: TableDatasets | null;
  /** What this node does to the table at the moment. */
  running: TableJob | null;
  token: string;
}

export type ScanFormat = 'arrow' | 'ndjson' | 'parquet';

export interface ScanOptions extends ScanRequest {
  /** Default arrow: an Arrow IPC stream, which `tableFromIPC` and pyarrow read. */
  format?: ScanFormat;
  signal?: AbortSignal;
}

export interface ScanAnswer {
  format: ScanFormat;
  freshness: Freshness;
  /** With `consistency: {asOf: token}` the same rows come again, in the same order and batches. */
  token: string;
  /** The whole answer has been read when it ends; it throws when it breaks off. */
  body: AsyncIterable<Uint8Array>;
}

export type SqlOptions = Omit<SqlRequest, 'sql'>;

export interface SqlResult {
  columns: SqlColumn[];
  /** Cells in the order of the columns. Integers beyond 2^53 are rounded here unless the client has a `parse` of its own. */
  rows: JsonValue[][];
  /** Of each stream in the query, by its name. */
  freshness: Record<string, Freshness>;
  token: string;
}

export interface Health {
  status: 'ok' | 'degraded';
  /** What is wrong, one line each. */
  problems: string[];
  /** What makes answers older or background work slower, while requests are answered as ever; absent where nothing does. */
  warnings?: string[];
  streams: number;
  uptimeMs: number;
}

export interface CollectApiOptions {
  /** Report what would go, and change nothing. Default false. */
  dryRun?: boolean;
  /** Also look for garbage that no expiry announces. Default false. */
  thorough?: boolean;
  /** Nothing is given up for its age: only what nothing names any more is deleted. Implies `thorough`. Default false. */
  orphansOnly?: boolean;
}

/** What both the embedded engine and the HTTP client offer, under the same names. Every rejection is a TailwaterError. */
export interface TailwaterApi extends DocumentsApi, StepsApi {
  readonly features: FeaturesApi;
  readonly contexts: ContextsApi;
  readonly live: LiveApi;
  readonly keys: KeysApi;
  /** Creates the stream; the same settings again are not an error. */
  createStream(name: string, settings: StreamSettings): Promise<StreamInfo>;
  getStream(name: string): Promise<StreamInfo>;
  listStreams(): Promise<StreamInfo[]>;
  /** Changes history, retention, ttl or maintenance of a stream that lives; null takes one back to its default. */
  changeStream(name: string, changes: StreamChanges): Promise<StreamInfo>;
  deleteStream(name: string): Promise<void>;
  append(name: string, records: readonly AppendRecord[], options?: AppendOptions): Promise<AppendAnswer>;
  /** A value a line; with `envelope`, a {key, time, headers, value} a line. */
  appendNdjson(name: string, body: string | Uint8Array, options?: AppendOptions & { envelope?: boolean }): Promise<AppendAnswer>;
  read(name: string, options?: ReadOptions): Promise<ReadAnswer>;
  follow(name: string, options?: FollowOptions): AsyncIterable<FollowEvent>;
  query(name: string, request: QueryRequest): Promise<QueryAnswer>;
  /** One prompt-ready answer from events, features, documents and rows at one instant, within a token budget. */
  context(request: ContextRequest): Promise<ContextAnswer>;
  /** All rows at one instant, in the order of the log, read as they are asked for. */
  scan(name: string, options?: ScanOptions): Promise<ScanAnswer>;
  /** One SELECT over streams, all at one instant. */
  sql(sql: string, options?: SqlOptions): Promise<SqlResult>;
  getRow(name: string, key: string | Uint8Array, options?: { consistency?: Consistency }): Promise<RowAnswer>;
  deleteRow(name: string, key: string | Uint8Array): Promise<AppendAnswer>;
  /** Returns when the table has caught up with the head at the call. `full` also brings every index up to date. */
  compact(name: string, options?: { full?: boolean }): Promise<TableInfo>;
  getTable(name: string): Promise<TableInfo>;
  /** Names an instant and keeps it. TW_TAG_EXISTS when the name means another one, TW_NOT_TAGGABLE when no table state holds it. */
  createTag(name: string, tag: string, options?: TagOptions): Promise<TagInfo>;
  /** By name. */
  listTags(name: string): Promise<TagInfo[]>;
  /** TW_TAG_NOT_FOUND. */
  deleteTag(name: string, tag: string): Promise<void>;
  /** Deletes what nothing needs any more; takes the grace time, unless it is a dry run. */
  collect(options?: CollectApiOptions): Promise<CollectionReport>;
  health(): Promise<Health>;
  /** Prometheus text format. */
  metrics(): Promise<string>;
  /** Ingestion progress by source id; absent sources are left out. */
  sourceProgress(sources: readonly string[]): Promise<SourceProgress[]>;
  close(): Promise<void>;
}

export type { CollectionReport, Problem, SourceProgress };
