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
  table?: { format: 'lance' };
  /** How long superseded versions are kept, ISO 8601 duration or "forever"; default "P7D". */
  history?: string;
  retention?: string;
}

/** One life of a stream, with every default filled in. Immutable. */
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
  table: { format: 'lance' };
  /** Milliseconds; null keeps history for ever. */
  historyMs: number | null;
  retentionMs: number | null;
  createdAtMs: number;
}
