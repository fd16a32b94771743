import type { JsonObject, JsonValue } from '../../base/index.ts';
import type { OnDemandReader } from '../on-demand.ts';
import { checkViewName, parseDefinition } from './parse.ts';
import type {
  AggregateDefinition,
  DurationText,
  ExpressionDefinition,
  FeatureViewDefinition,
  MeasureDefinition,
  RatioDefinition,
  WindowBounds,
  WindowDefinition,
} from './types.ts';

/** A feature with the type of its values; `Value` exists for the compiler only. */
export interface Feature<Value> {
  readonly definition: AggregateDefinition | RatioDefinition | ExpressionDefinition;
  readonly value?: Value;
}

type Ratio = Omit<RatioDefinition, 'window' | 'default'>;

/** An aggregation that needs its window to be a feature. `Empty`: its value over no event. */
export class Measure<Value, Empty> {
  readonly measure: MeasureDefinition | Ratio;

  constructor(measure: MeasureDefinition | Ratio) {
    this.measure = measure;
  }

  /** The last `size` up to the instant asked about: after t - size, up to and with t, unless `bounds` says otherwise. */
  over(size: DurationText, options: { bounds?: WindowBounds } = {}): WindowedFeature<Value, Empty> {
    return this.#in({ sliding: size, ...options });
  }

  tumbling(size: DurationText, options: { complete?: boolean } = {}): WindowedFeature<Value, Empty> {
    return this.#in({ tumbling: size, ...options });
  }

  session(gap: DurationText, options: { max?: DurationText } = {}): WindowedFeature<Value, Empty> {
    return this.#in({ session: gap, ...options });
  }

  rows(count: number): WindowedFeature<Value, Empty> {
    return this.#in({ rows: count });
  }

  lifetime(): WindowedFeature<Value, Empty> {
    return this.#in('lifetime');
  }

  #in(window: WindowDefinition): WindowedFeature<Value, Empty> {
    return new WindowedFeature({ ...this.measure, window } as AggregateDefinition | RatioDefinition);
  }
}

/** An aggregation of events, which may be restricted to some of them. */
export class EventMeasure<Value, Empty> extends Measure<Value, Empty> {
  declare readonly measure: MeasureDefinition;

  /** Counts only events that match the filter. */
  where(filter: JsonObject): EventMeasure<Value, Empty> {
    return new EventMeasure({ ...this.measure, where: filter });
  }
}

export class WindowedFeature<Value, Empty> implements Feature<Value | Empty> {
  declare readonly value?: Value | Empty;
  readonly definition: AggregateDefinition | RatioDefinition;

  constructor(definition: AggregateDefinition | RatioDefinition) {
    this.definition = definition;
  }

  /** The value when no event counts. */
  default<Default extends JsonValue>(value: Default): WindowedFeature<Value, Default> {
    return new WindowedFeature({ ...this.definition, default: value });
  }
}

type NumberMeasure = EventMeasure<number, null>;

function measured<Value, Empty = null>(measure: MeasureDefinition): EventMeasure<Value, Empty> {
  return new EventMeasure(measure);
}

/** Events; with a field, those that have a value there. */
export const count = (field?: string): EventMeasure<number, 0> =>
  measured({ aggregate: 'count', ...(field === undefined ? {} : { field }) });
export const sum = (field: string): NumberMeasure => measured({ aggregate: 'sum', field });
export const avg = (field: string): NumberMeasure => measured({ aggregate: 'avg', field });
export const min = (field: string): NumberMeasure => measured({ aggregate: 'min', field });
export const max = (field: string): NumberMeasure => measured({ aggregate: 'max', field });
/** Of the sample, unless `population`. */
export const variance = (field: string, options: { population?: boolean } = {}): NumberMeasure =>
  measured({ aggregate: 'variance', field, ...options });
export const stddev = (field: string, options: { population?: boolean } = {}): NumberMeasure =>
  measured({ aggregate: 'stddev', field, ...options });
/** By (event time, ingest position). `Value`: what the field holds. */
export const first = <Value extends JsonValue = JsonValue>(field: string): EventMeasure<Value, null> =>
  measured({ aggregate: 'first', field });
export const last = <Value extends JsonValue = JsonValue>(field: string): EventMeasure<Value, null> =>
  measured({ aggregate: 'last', field });
export const firstN = <Value extends JsonValue = JsonValue>(field: string, n: number): EventMeasure<Value[], null> =>
  measured({ aggregate: 'first_n', field, n });
export const lastN = <Value extends JsonValue = JsonValue>(field: string, n: number): EventMeasure<Value[], null> =>
  measured({ aggregate: 'last_n', field, n });
export const minN = (field: string, n: number): EventMeasure<number[], null> => measured({ aggregate: 'min_n', field, n });
export const maxN = (field: string, n: number): EventMeasure<number[], null> => measured({ aggregate: 'max_n', field, n });
/** Exact up to `exactUpTo` (default 4,096) values, then an estimate with a standard error of 1/sqrt(exactUpTo - 1). */
export const countDistinct = (field: string, options: { exactUpTo?: number } = {}): EventMeasure<number, 0> =>
  measured({ aggregate: 'count_distinct', field, ...options });
/** The n most frequent values, equal counts in the order of the values. Exact up to `exactUpTo` (default 4,096) distinct values. */
export const topK = <Value extends string | number | boolean = string>(
  field: string,
  n: number,
  options: { exactUpTo?: number } = {},
): EventMeasure<{ value: Value; count: number }[], null> => measured({ aggregate: 'top_k', field, n, ...options });
export const valueCounts = (field: string, options: { exactUpTo?: number } = {}): EventMeasure<Record<string, number>, null> =>
  measured({ aggregate: 'value_counts', field, ...options });
/** Counts below the first boundary, from each to below the next, and from the last on. */
export const histogram = (field: string, boundaries: number[]): EventMeasure<number[], null> =>
  measured({ aggregate: 'histogram', field, boundaries });
/** Within the relative error `accuracy` (default 0.01). */
export const percentiles = (
  field: string,
  quantiles: number[],
  options: { accuracy?: number } = {},
): EventMeasure<number[], null> => measured({ aggregate: 'percentiles', field, quantiles, ...options });
export const decayedSum = (field: string, halfLife: DurationText): NumberMeasure =>
  measured({ aggregate: 'decayed_sum', field, halfLife });
export const decayedAvg = (field: string, halfLife: DurationText): NumberMeasure =>
  measured({ aggregate: 'decayed_avg', field, halfLife });
export const vectorSum = (field: string, dimensions: number): EventMeasure<number[], null> =>
  measured({ aggregate: 'vector_sum', field, dimensions });
export const vectorMean = (field: string, dimensions: number): EventMeasure<number[], null> =>
  measured({ aggregate: 'vector_mean', field, dimensions });

/** The quotient of two aggregations over one window; null when the second is 0 or null. */
export function ratio(
  numerator: EventMeasure<number, number | null>,
  denominator: EventMeasure<number, number | null>,
): Measure<number | null, null> {
  return new Measure({ aggregate: 'ratio', numerator: numerator.measure, denominator: denominator.measure });
}

/** A feature of other features and request values, such as `spend_24h / max(clicks_5m, 1)`. `Value` is what it gives. */
export function expression<Value extends JsonValue = JsonValue>(text: string): Feature<Value | null> {
  return { definition: { expression: text } };
}

export type Features = Record<string, Feature<unknown>>;

export interface FeatureView<F extends Features = Features> {
  readonly name: string;
  readonly definition: FeatureViewDefinition;
  /** For the compiler only; see FeatureValues. */
  readonly features?: F;
  /** Features that `onDemand` added, and how reads compute them. */
  readonly onDemand?: OnDemandReader;
}

/** The values of a view's features, by name: of the online answer and of a training row. */
export type FeatureValues<V> =
  V extends FeatureView<infer F> ? { [Name in keyof F]: F[Name] extends Feature<infer Value> ? Value : never } : never;

export interface ViewSettings<F extends Features> extends Omit<FeatureViewDefinition, 'source' | 'features'> {
  /** The stream, or its name. */
  source: string | { name: string };
  features: F;
}

/** A feature view whose types follow from its definition. Throws TW_VIEW_DEFINITION. */
export function featureView<F extends Features>(name: string, settings: ViewSettings<F>): FeatureView<F> {
  checkViewName(name);
  const { source, features, ...rest } = settings;
  const definition = {
    ...rest,
    source: typeof source === 'string' ? source : source.name,
    features: Object.fromEntries(Object.entries(features).map(([feature, { definition: own }]) => [feature, own])),
  };
  // Through JSON: what is not JSON must not be in a definition.
  return { name, definition: parseDefinition(JSON.parse(JSON.stringify(definition))) };
}
