import type { ContextAnswer, ContextRequest } from '../context/index.ts';
import type { IcebergCatalog } from '../lakehouse/index.ts';
import type { QueryRequest, SearchAnswer } from '../retrieval/index.ts';
import type {
  Consistency,
  Freshness,
  LiveRecord,
  OpenScan,
  ReadFrom,
  ScanRequest,
  SqlAnswer,
  SqlRequest,
  StreamPage,
} from '../snapshot/index.ts';
import type { StreamChanges, StreamDefinition, StreamRecord, StreamSettings } from '../streams/index.ts';
import type { AccessKeys } from './access/access-keys.ts';
import type { AppendAnswer, AppendOptions, Health, SourceProgress, StreamInfo, TableInfo, TagInfo, TagOptions } from './api.ts';
import type { CollectOptions } from './collect/collector.ts';
import type { CollectionReport } from './collect/report.ts';
import type { EngineContextsApi } from './contexts-api.ts';
import type { EngineDocuments } from './documents-api.ts';
import type { EngineLive } from './engine-live.ts';
import type { FeaturesApi } from './features-api.ts';
import type { RateLimiter } from './limits/rates.ts';
import type { StepsApi } from './steps-api.ts';

/** A row as the engine finds it: the record's own bytes, not parsed. */
export interface EngineRow {
  record: StreamRecord;
  tier: 'tail' | 'table';
  freshness: Freshness;
  token: string;
}

/** What is appended: values that were already taken apart, or lines of JSON as they came. */
export type AppendInput = { records: readonly unknown[] } | { ndjson: Uint8Array; envelope?: boolean };

export interface EngineReadOptions {
  partition?: number;
  from?: ReadFrom;
  limit?: number;
  consistency?: Consistency;
}

export interface EngineFollowOptions {
  partition?: number;
  from?: ReadFrom;
  after?: string;
  signal?: AbortSignal;
}

/**
 * What the faces need of the engine. Records come as their bytes, so that an answer can carry a value's original text: numbers beyond
 * 2^53 keep their digits. Every rejection is a TailwaterError.
 */
export interface EngineLike {
  readonly features: FeaturesApi;
  readonly documents: EngineDocuments;
  readonly contexts: EngineContextsApi;
  readonly live: Pick<EngineLive, 'query' | 'matches' | 'context'>;
  readonly keys: Pick<AccessKeys, 'create' | 'list' | 'remove' | 'find'>;
  readonly steps: StepsApi;
  /** What limits how fast someone may ask: of all nodes together, where they share Redis. */
  readonly rates: RateLimiter;
  /** Iceberg's REST catalog, over the tables of streams and those of other engines. */
  readonly iceberg: IcebergCatalog;
  createStream(name: string, settings: StreamSettings): Promise<StreamInfo>;
  getStream(name: string): Promise<StreamInfo>;
  listStreams(): Promise<StreamInfo[]>;
  changeStream(name: string, changes: StreamChanges): Promise<StreamInfo>;
  deleteStream(name: string): Promise<void>;
  /** What is known without asking anyone; TW_STREAM_NOT_FOUND. */
  definition(name: string): StreamDefinition;
  /** As `definition`, also of a stream that another node has just created. */
  find(name: string): Promise<StreamDefinition>;
  append(name: string, input: AppendInput, options?: AppendOptions): Promise<AppendAnswer>;
  read(name: string, options: EngineReadOptions): Promise<StreamPage>;
  follow(name: string, options: EngineFollowOptions): AsyncIterable<LiveRecord>;
  query(name: string, request: QueryRequest, signal?: AbortSignal): Promise<SearchAnswer>;
  context(request: ContextRequest): Promise<ContextAnswer>;
  scan(name: string, request: ScanRequest, signal?: AbortSignal): Promise<OpenScan>;
  /** `mayRead`: which streams there are for this query; all, when it is not given. */
  sql(request: SqlRequest, signal?: AbortSignal, mayRead?: (stream: string) => boolean): Promise<SqlAnswer>;
  getRow(name: string, key: Uint8Array, consistency?: Consistency): Promise<EngineRow>;
  deleteRow(name: string, key: Uint8Array): Promise<AppendAnswer>;
  compact(name: string, options?: { full?: boolean }): Promise<TableInfo>;
  getTable(name: string): Promise<TableInfo>;
  createTag(name: string, tag: string, options?: TagOptions): Promise<TagInfo>;
  listTags(name: string): Promise<TagInfo[]>;
  deleteTag(name: string, tag: string): Promise<void>;
  collect(options?: Omit<CollectOptions, 'signal'>): Promise<CollectionReport>;
  health(): Promise<Health>;
  metrics(): Promise<string>;
  sourceProgress(sources: readonly string[]): Promise<SourceProgress[]>;
  close(): Promise<void>;
}
