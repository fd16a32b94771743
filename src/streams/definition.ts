import type { JsonObject } from '../base/index.ts';

export type StreamKind = 'append' | 'upsert';
export type TimeUnit = 's' | 'ms' | 'us';

export interface EmbedSettings {
  /** Dotted paths whose texts are joined with a newline, in this order. */
  fields: string[];
  provider: string;
  model: string;
  dimensions: number;
}

export type TableFormat = 'lance' | 'iceberg';

/** By what the rows of an Iceberg table share files. `column`: a property of the value, or `_time` or `_ingested_at`. */
export type PartitionRule =
  | { column: string; transform: 'identity' | 'day' | 'hour' }
  | { column: string; transform: 'bucket'; buckets: number };

export type TableDefinition = { format: 'lance' } | { format: 'iceberg'; partitionBy: PartitionRule[]; sortBy: string[] };

/** How documents are cut into chunks; both in tokens of o200k_base. */
export interface ChunkSettings {
  /** At most; 32..8192. */
  chunkTokens: number;
  /** How much of the text before it a chunk repeats, at most, within its section; 0..chunkTokens / 2. */
  overlapTokens: number;
}

/** When maintenance of a table pays; what is not given has the default of the node. */
export interface MaintenanceSettings {
  /** Small fragments are merged after this many compactions; default 16. */
  compactionsPerOptimize?: number;
  /** The full-text index is refreshed when more rows than this (and 0.5 % of the table) lack it; default 2,000. */
  unindexedTextRows?: number;
  /** As `unindexedTextRows`, for the vector index (5 %); default 10,000. */
  unindexedVectorRows?: number;
}

/** What can be changed while a stream lives (PATCH /v1/streams/{s}); null takes a setting back to its default. */
export interface StreamChanges {
  history?: StreamSettings['history'] | null;
  retention?: StreamSettings['retention'] | null;
  ttl?: StreamSettings['ttl'] | null;
  maintenance?: MaintenanceSettings | null;
}

/** What a user may say about a stream (PUT /v1/streams/{s}). */
export interface StreamSettings {
  kind: StreamKind;
  /** Dotted path(s) of the value that make the key. One field: its text; several: a JSON array of them. */
  key?: string | readonly string[];
  time?: string | { field: string; unit: TimeUnit };
  /** JSON Schema (draft 2020-12 or 7) of the value. */
  schema?: JsonObject;
  /** Default 1. */
  partitions?: number;
  colocate?: string;
  /** Defaults: provider "hash", model "hash-v1", dimensions 384. */
  embed?: { fields: readonly string[]; provider?: string; model?: string; dimensions?: number };
  search?: { fields: readonly string[] };
  /**
   * Default format: `iceberg`; `lance` for streams with `embed` or `search`. Fixed at creation. Of Iceberg tables, `partitionBy` has rules such as
   * `day(_time)`, `hour(_time)`, `bucket(16, user)` or `country`, and `sortBy` columns; default: none, and upsert tables by key.
   */
  table?: { format?: TableFormat; partitionBy?: readonly string[]; sortBy?: readonly string[] };
  /** How long superseded versions are kept, ISO 8601 duration or "forever"; default "P7D". */
  history?: string;
  /** How old a record may become, ISO 8601 duration or "forever" (default), and of how many bytes (keys and values) the table is, about. */
  retention?: string | { age?: string; bytes?: number };
  /** When a row expires: a duration after its event time, or the moment in a field (milliseconds since the epoch, or an ISO 8601 time). */
  ttl?: string | { field: string };
  maintenance?: MaintenanceSettings;
  /** The stream holds documents (docs/DOCUMENTS.md): kind upsert, without `key`, `retention` and `ttl`. Defaults: 400 and 50 tokens. */
  documents?: Partial<ChunkSettings>;
}

/** One life of a stream, with every default filled in. Immutable: a change makes another one, of the same incarnation. */
export interface StreamDefinition {
  name: string;
  /** The id of this life: data and paths use it, a re-created name gets a new one. */
  incarnation: string;
  kind: StreamKind;
  /** Key fields, or null when records bring their own key or none. */
  key: string[] | null;
  time: { field: string; unit: TimeUnit } | null;
  schema: JsonObject | null;
  partitions: number;
  colocate: string | null;
  embed: EmbedSettings | null;
  search: { fields: string[] } | null;
  table: TableDefinition;
  /** Milliseconds; null keeps history for ever. */
  historyMs: number | null;
  /** By commit time; null: for ever. */
  retentionMs: number | null;
  /** Bytes of keys and values in the table; absent: no bound. */
  retentionBytes?: number;
  /** Absent: rows have no time to live of their own. */
  ttl?: { ms: number } | { field: string };
  /** Absent: all defaults. */
  maintenance?: MaintenanceSettings;
  /** Absent: the stream does not hold documents. */
  documents?: ChunkSettings;
  createdAtMs: number;
}
