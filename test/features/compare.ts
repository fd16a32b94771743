import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from '../../src/base/index.ts';
import type { AggregateDefinition, FeatureAnswer, FeatureViewDefinition } from '../../src/features/index.ts';
import type { Expected } from './oracle.ts';

/** What differs between an answer and the oracle's; null: nothing. Sketches and decay may differ by their stated bound. */
export function differenceOf(
  definition: FeatureViewDefinition,
  name: string,
  answer: FeatureAnswer,
  expected: Expected,
): string | null {
  const feature = definition.features[name] as AggregateDefinition;
  const same = answer.status === expected.status && answer.eventTimeMs === expected.eventTimeMs;
  if (same && valuesAgree(feature, answer.value, expected)) return null;
  return `${name} ${JSON.stringify(feature)}: answered ${JSON.stringify(answer)}, expected ${JSON.stringify(expected)}`;
}

function valuesAgree(feature: AggregateDefinition, value: JsonValue, expected: Expected): boolean {
  if (expected.status !== 'present') return isDeepStrictEqual(value, expected.value);
  switch (feature.aggregate) {
    case 'percentiles': {
      const exact = expected.value as number[];
      const bound = (feature.accuracy ?? 0.01) * (1 + 1e-9);
      return (
        Array.isArray(value) &&
        value.every((item, index) => Math.abs((item as number) - exact[index]) <= Math.abs(exact[index]) * bound + 1e-300)
      );
    }
    case 'decayed_sum':
    case 'decayed_avg': {
      if (typeof value !== 'number' || typeof expected.value !== 'number') return value === expected.value;
      const magnitude = (expected.inputs as number[]).reduce((most, input) => Math.max(most, Math.abs(input)), 0);
      return Math.abs(value - expected.value) <= magnitude * expected.inputs.length * 1e-12 + 1e-300;
    }
    default:
      return isDeepStrictEqual(normal(value), normal(expected.value));
  }
}

/** -0 and 0 are one number in JSON. */
function normal(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value));
}
