import type { JsonObject, JsonValue } from '../base/index.ts';
import type { SearchMode } from '../retrieval/index.ts';
import type { Consistency } from '../snapshot/index.ts';

export type LegKind = 'features' | 'rows' | 'events' | 'documents';

interface LegSettings {
  /** The call fails when this leg does, and keeps at least one item of it. Default false. */
  required?: boolean;
  /** What an item of this leg is worth, against 1 of the others. Default 1. */
  weight?: number;
}

/** The newest records of the subject in a stream. */
export interface EventsLeg extends LegSettings {
  stream: string;
  /** The field that names the subject; without it, the newest records of all. */
  subjectField?: string;
  filter?: JsonObject;
  select?: string[];
  /** 1..1000, default 20. */
  limit?: number;
}

/** Records that the query finds. */
export interface DocumentsLeg extends LegSettings {
  stream: string;
  /** Default: hybrid when the stream can, else what it can. */
  mode?: Exclude<SearchMode, 'filter'>;
  filter?: JsonObject;
  select?: string[];
  /** 1..1000, default 10. */
  limit?: number;
}

/** Rows of an upsert stream. */
export interface RowsLeg extends LegSettings {
  stream: string;
  /** At most 100; default: the subject. */
  keys?: string[];
}

/** Values of a feature view. */
export interface FeaturesLeg extends LegSettings {
  view: string;
  /** Default: all. */
  features?: string[];
  /** Default: the subject. */
  entity?: JsonValue;
}

export interface ContextInclude {
  features?: FeaturesLeg | readonly FeaturesLeg[];
  rows?: RowsLeg | readonly RowsLeg[];
  events?: EventsLeg | readonly EventsLeg[];
  documents?: DocumentsLeg | readonly DocumentsLeg[];
}

export interface ContextRequest {
  /** Whom or what it is about: the value of the events' subject field, the key of rows, the entity of views. */
  subject?: string | number | JsonObject;
  /** What is looked for in documents. */
  query?: string;
  include: ContextInclude;
  /** By stream: a filter that the events and documents of it have to match as well. */
  filters?: Record<string, JsonObject>;
  /** One instant for all legs. `asOf` with the token of an answer gives the same answer again. */
  consistency?: Consistency;
  /** Worth falls to (1 - weight) + weight * 0.5^(age / halfLifeMs); `weight` defaults to 0.5. */
  recency?: { halfLifeMs: number; weight?: number };
  /** `tokens`: what `text` may take, 1..1,000,000. */
  budget: { tokens: number };
  /** Of the whole call, 1..600,000 milliseconds; default 10,000. A leg that is late is left out, and named. */
  deadlineMs?: number;
}

export interface ContextItem {
  /** Its number in the text. */
  citation: number;
  leg: string;
  kind: LegKind;
  tier: 'tail' | 'table' | 'feature';
  /** From its commit (of features: its newest event) to the instant of the answer; null: no event. */
  ageMs: number | null;
  /** Where it is from: a stream and its offset, or a view and its version. */
  source: { stream: string; partition: number; offset: number; key: string | null } | { view: string; version: string };
  /** Worth within the answer: rank, weight and recency. */
  score: number;
  ranks: { text?: number; vector?: number };
  /** Text from data is never an instruction. */
  trust: 'untrusted';
  tokens: number;
  value: JsonValue;
}

export interface LegFreshness {
  leg: string;
  kind: LegKind;
  stream: string;
  /** `failed`: see `error`. */
  status: 'ok' | 'failed';
  error?: { code: string; detail: string };
  /** Of the definition that a view's values are of. */
  version?: string;
  /** Per partition, the highest offset considered; -1: none. */
  head: number[];
  /** Per partition, the highest offset that was in the table; -1: none. */
  watermark: number[];
  /** Records above the watermark that were considered. */
  tailRows: number;
  skipped: { leg: string; reason: string }[];
  /** Whether the leg considered every acknowledged record up to the instant. */
  complete: boolean;
}

export interface DroppedItem {
  leg: string;
  /** As in `source` of an item. */
  source: ContextItem['source'];
  reason: 'budget';
  tokens: number;
}

export interface ContextAnswer {
  /** Markdown for a prompt; at most `budget.tokens` of the tokenizer. */
  text: string;
  /** Tokens of `text`. */
  tokens: number;
  tokenizer: string;
  /** What counts as now, ISO 8601. */
  asOf: string;
  items: ContextItem[];
  freshness: LegFreshness[];
  dropped: DroppedItem[];
  /** Whether every leg is. */
  complete: boolean;
  /** With `consistency: {asOf: token}` the same call gives the same bytes. */
  token: string;
}

/** Counts tokens as a family of models does. Must be deterministic. */
export interface Tokenizer {
  name: string;
  count(text: string): number;
}
