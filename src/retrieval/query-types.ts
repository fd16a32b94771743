import type { JsonObject } from '../base/index.ts';
import type { Consistency, Freshness } from '../snapshot/index.ts';
import type { StreamRecord } from '../streams/index.ts';
import type { HitSource } from './sources.ts';

/** `filter` ranks by nothing: the newest rows that match. */
export type SearchMode = 'vector' | 'text' | 'hybrid' | 'filter';

/** A search of one stream (POST /v1/streams/{s}/query). */
export interface QueryRequest {
  text?: string;
  /** Length: the stream's embedding dimensions. Without it, `text` is embedded by the stream's provider. */
  vector?: number[];
  /** Default: hybrid when both legs are possible, else the one that is, else filter. */
  mode?: SearchMode;
  /** `$eq $ne $gt $gte $lt $lte $in $nin $exists $contains $and $or $not` over the JSON value. */
  filter?: JsonObject;
  /** 1..1000, default 10. */
  limit?: number;
  /** Dotted paths to return; default the whole value. */
  select?: string[];
  consistency?: Consistency;
  /** The score is multiplied by (1 - weight) + weight * 0.5^(age / halfLifeMs); age by event time. `weight` defaults to 0.5. */
  recency?: { halfLifeMs: number; weight?: number };
  /** Weights of the legs in reciprocal rank fusion; default 1 each. */
  weights?: { text?: number; vector?: number };
  /** Default 10,000. */
  deadlineMs?: number;
}

export interface SearchHit {
  record: StreamRecord;
  /** Selected fields only, when `select` was given; else absent and the record's value is the answer. */
  selected?: JsonObject;
  score: number;
  tier: 'tail' | 'table';
  ageMs: number;
  /** One-based rank in each leg that found it. */
  ranks: { text?: number; vector?: number };
  /** Of a chunk of a document. */
  source?: HitSource;
}

export interface SearchAnswer {
  hits: SearchHit[];
  freshness: Freshness;
  token: string;
}
