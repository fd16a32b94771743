import type { JsonObject, JsonValue } from '../../base/index.ts';

/** Which ends of a sliding window belong to it; the first sign is its older end. Default `(]`. */
export type WindowBounds = '(]' | '[)' | '[]';

/** A text such as "500ms", "30s", "5m", "24h", "7d" or "2w". */
export type DurationText = string;

/** Which events of an entity, up to the instant asked about, a feature is computed from. All times are event times in UTC. */
export type WindowDefinition =
  | { sliding: DurationText; bounds?: WindowBounds }
  /** The period (from the epoch in UTC) that the instant is in, up to the instant; with `complete`, the whole period before it. */
  | { tumbling: DurationText; complete?: boolean }
  /** The events up to the instant with no gap longer than this between them, nor after the last; at most `max` (default 1d) back. */
  | { session: DurationText; max?: DurationText }
  /** The newest so many events. */
  | { rows: number }
  | 'lifetime';

export type AggregateName =
  | 'count'
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'variance'
  | 'stddev'
  | 'first'
  | 'last'
  | 'first_n'
  | 'last_n'
  | 'min_n'
  | 'max_n'
  | 'count_distinct'
  | 'top_k'
  | 'value_counts'
  | 'histogram'
  | 'percentiles'
  | 'decayed_sum'
  | 'decayed_avg'
  | 'vector_sum'
  | 'vector_mean';

/** One aggregation without its window. Members beyond `aggregate` and `where` are those that the aggregation takes. */
export interface MeasureDefinition {
  aggregate: AggregateName;
  /** Dotted path in the event's value. */
  field?: string;
  /** Only events that match; the filter language of queries. */
  where?: JsonObject;
  /** first_n, last_n, min_n, max_n, top_k: how many. */
  n?: number;
  /** variance, stddev: of the population instead of the sample. */
  population?: boolean;
  /** count_distinct, top_k, value_counts: distinct values up to which the answer is exact. */
  exactUpTo?: number;
  /** histogram: rising bounds of its buckets. */
  boundaries?: number[];
  /** percentiles: each in [0, 1]. */
  quantiles?: number[];
  /** percentiles: relative error. */
  accuracy?: number;
  /** decayed_sum, decayed_avg. */
  halfLife?: DurationText;
  /** vector_sum, vector_mean. */
  dimensions?: number;
}

export interface AggregateDefinition extends MeasureDefinition {
  window: WindowDefinition;
  /** The value when no event counts; default 0 for counts, null for the others. */
  default?: JsonValue;
}

/** The quotient of two aggregations over one window; null when the second is 0 or null. */
export interface RatioDefinition {
  aggregate: 'ratio';
  numerator: MeasureDefinition;
  denominator: MeasureDefinition;
  window: WindowDefinition;
  default?: JsonValue;
}

/** Computed at request time from other features of the view and values of the request. */
export interface ExpressionDefinition {
  expression: string;
}

export type FeatureDefinition = AggregateDefinition | RatioDefinition | ExpressionDefinition;

/** A feature view as JSON: what PUT /v1/features/{view} takes and what is stored. */
export interface FeatureViewDefinition {
  /** The stream whose records are the events. */
  source: string;
  /** Dotted path(s) of the value that name the entity. */
  entity: string | string[];
  features: Record<string, FeatureDefinition>;
  /** A value whose newest event is older than this is expired: null. Default: none expires. */
  ttl?: DurationText;
  /** How far back `asOf` is answered online. Default 1h. */
  history?: DurationText;
}
