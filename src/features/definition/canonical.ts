import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '../../base/index.ts';
import { parseWindowMs } from './duration.ts';
import { AGGREGATE_RULES, DISTINCT_BOUND, FREQUENCY_BOUND, PERCENTILE_ACCURACY } from './measures.ts';
import type { AggregateName, FeatureDefinition, FeatureViewDefinition, MeasureDefinition } from './types.ts';
import { windowOf } from './windows.ts';

const DEFAULT_HISTORY_MS = 3_600_000;

/** A definition in which everything that serves the same values is written the same: defaults filled in, durations in ms, names sorted. */
export function canonicalDefinition(definition: FeatureViewDefinition): JsonObject {
  const { source, entity, ttl, history } = definition;
  const features = Object.entries(definition.features).map(([name, feature]) => [name, canonicalFeature(feature)] as const);
  return sorted({
    source,
    entity: Array.isArray(entity) ? entity : [entity],
    ttlMs: ttl === undefined ? null : parseWindowMs(ttl),
    historyMs: history === undefined ? DEFAULT_HISTORY_MS : parseWindowMs(history),
    features: Object.fromEntries(features),
  }) as JsonObject;
}

/** The version of a definition: 16 hexadecimal digits of the SHA-256 of its canonical form. */
export function versionOf(definition: FeatureViewDefinition): string {
  return createHash('sha256')
    .update(JSON.stringify(canonicalDefinition(definition)))
    .digest('hex')
    .slice(0, 16);
}

export function canonicalFeature(feature: FeatureDefinition): JsonObject {
  if ('expression' in feature) return { expression: feature.expression };
  const window = windowOf(feature.window) as unknown as JsonObject;
  if (feature.aggregate === 'ratio') {
    const { numerator, denominator } = feature;
    return sorted({
      aggregate: 'ratio',
      numerator: canonicalMeasure(numerator),
      denominator: canonicalMeasure(denominator),
      window,
      default: feature.default ?? null,
    }) as JsonObject;
  }
  const empty = AGGREGATE_RULES[feature.aggregate].empty;
  return sorted({ ...canonicalMeasure(feature), window, default: feature.default ?? empty }) as JsonObject;
}

export function canonicalMeasure(measure: MeasureDefinition): JsonObject {
  const { aggregate } = measure;
  const { required, optional } = AGGREGATE_RULES[aggregate];
  const canonical: JsonObject = { aggregate, where: measure.where ?? null };
  for (const name of [...required, ...optional]) {
    const value = measure[name] ?? defaultOf(name, aggregate);
    canonical[name] = name === 'halfLife' ? parseWindowMs(value as string) : value;
  }
  return sorted(canonical) as JsonObject;
}

function defaultOf(name: string, aggregate: AggregateName): JsonValue {
  switch (name) {
    case 'population':
      return false;
    case 'exactUpTo':
      return aggregate === 'count_distinct' ? DISTINCT_BOUND : FREQUENCY_BOUND;
    case 'accuracy':
      return PERCENTILE_ACCURACY;
    default:
      return null;
  }
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(name => [name, sorted(value[name])]),
  );
}

export function historyMsOf(definition: FeatureViewDefinition): number {
  return definition.history === undefined ? DEFAULT_HISTORY_MS : parseWindowMs(definition.history)!;
}
