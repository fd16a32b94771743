import type { AggregateName, MeasureDefinition } from './types.ts';

type Parameter = Exclude<keyof MeasureDefinition, 'aggregate' | 'where'>;

interface AggregateRule {
  /** Members that must be given. */
  required: readonly Parameter[];
  /** Members that may be given. */
  optional: readonly Parameter[];
  /** The value over no event. */
  empty: 0 | null;
}

/** Values a count_distinct holds exactly, unless told otherwise; the standard error beyond is then 1.6%. */
export const DISTINCT_BOUND = 4096;
export const FREQUENCY_BOUND = 4096;
export const PERCENTILE_ACCURACY = 0.01;

function rule(required: readonly Parameter[], optional: readonly Parameter[] = [], empty: 0 | null = null): AggregateRule {
  return { required, optional, empty };
}

/** What each aggregation takes. */
export const AGGREGATE_RULES: Readonly<Record<AggregateName, AggregateRule>> = {
  count: rule([], ['field'], 0),
  sum: rule(['field']),
  avg: rule(['field']),
  min: rule(['field']),
  max: rule(['field']),
  variance: rule(['field'], ['population']),
  stddev: rule(['field'], ['population']),
  first: rule(['field']),
  last: rule(['field']),
  first_n: rule(['field', 'n']),
  last_n: rule(['field', 'n']),
  min_n: rule(['field', 'n']),
  max_n: rule(['field', 'n']),
  count_distinct: rule(['field'], ['exactUpTo'], 0),
  top_k: rule(['field', 'n'], ['exactUpTo']),
  value_counts: rule(['field'], ['exactUpTo']),
  histogram: rule(['field', 'boundaries']),
  percentiles: rule(['field', 'quantiles'], ['accuracy']),
  decayed_sum: rule(['field', 'halfLife']),
  decayed_avg: rule(['field', 'halfLife']),
  vector_sum: rule(['field', 'dimensions']),
  vector_mean: rule(['field', 'dimensions']),
};

export function isAggregateName(name: unknown): name is AggregateName {
  return typeof name === 'string' && Object.hasOwn(AGGREGATE_RULES, name);
}
