import { parseWindowMs } from '../definition/duration.ts';
import { DISTINCT_BOUND, FREQUENCY_BOUND, PERCENTILE_ACCURACY } from '../definition/measures.ts';
import type { MeasureDefinition } from '../definition/types.ts';
import { decayedAggregation } from './decayed.ts';
import { distinctAggregation } from './distinct.ts';
import type { Aggregation } from './fold.ts';
import { frequencyAggregation, histogramAggregation } from './frequencies.ts';
import { countAggregation, extremeAggregation, sumAggregation, varianceAggregation } from './numeric.ts';
import { edgeAggregation, extremesAggregation } from './ordered.ts';
import { percentilesAggregation } from './percentiles.ts';
import { vectorAggregation } from './vectors.ts';

/** The aggregation of a checked definition. */
export function createAggregation(measure: MeasureDefinition): Aggregation {
  const { n = 1, population = false, dimensions = 1 } = measure;
  switch (measure.aggregate) {
    case 'count':
      return countAggregation();
    case 'sum':
    case 'avg':
      return sumAggregation(measure.aggregate === 'avg');
    case 'min':
    case 'max':
      return extremeAggregation(measure.aggregate);
    case 'variance':
    case 'stddev':
      return varianceAggregation({ population, root: measure.aggregate === 'stddev' });
    case 'first':
    case 'last':
      return edgeAggregation({ last: measure.aggregate === 'last', n: 1, single: true });
    case 'first_n':
    case 'last_n':
      return edgeAggregation({ last: measure.aggregate === 'last_n', n, single: false });
    case 'min_n':
    case 'max_n':
      return extremesAggregation(measure.aggregate === 'max_n' ? 'max' : 'min', n);
    case 'count_distinct':
      return distinctAggregation(measure.exactUpTo ?? DISTINCT_BOUND);
    case 'top_k':
      return frequencyAggregation({ bound: measure.exactUpTo ?? FREQUENCY_BOUND, top: n });
    case 'value_counts':
      return frequencyAggregation({ bound: measure.exactUpTo ?? FREQUENCY_BOUND, top: null });
    case 'histogram':
      return histogramAggregation(measure.boundaries!);
    case 'percentiles':
      return percentilesAggregation(measure.quantiles!, measure.accuracy ?? PERCENTILE_ACCURACY);
    case 'decayed_sum':
    case 'decayed_avg':
      return decayedAggregation({ halfLifeMs: parseWindowMs(measure.halfLife!)!, mean: measure.aggregate === 'decayed_avg' });
    case 'vector_sum':
    case 'vector_mean':
      return vectorAggregation({ dimensions, mean: measure.aggregate === 'vector_mean' });
  }
}
