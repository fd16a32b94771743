import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import { expressionNames } from '../expression/names.ts';
import { parseExpression } from '../expression/parse.ts';
import { parseWindowMs } from './duration.ts';
import { checkMeasure } from './parse-measure.ts';
import { invalid, requireMembers } from './problems.ts';
import type { FeatureDefinition, FeatureViewDefinition } from './types.ts';
import { checkWindow } from './windows.ts';

const VIEW_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
export const FEATURE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/;
const MAX_FEATURES = 1000;
const MAX_PATH = 1000;
const MAX_ENTITY_FIELDS = 16;

/** Throws TW_VIEW_DEFINITION. */
export function checkViewName(name: string): void {
  if (!VIEW_NAME.test(name)) {
    throw new TailwaterError('TW_VIEW_DEFINITION', {
      detail: `${JSON.stringify(name.slice(0, 220))} is no name of a view: 1-200 letters, digits, dots, dashes and underscores.`,
    });
  }
}

/** Checks a definition that came as JSON, whole, before anything is done with it. Throws TW_VIEW_DEFINITION naming the place. */
export function parseDefinition(source: JsonValue): FeatureViewDefinition {
  if (!isJsonObject(source)) throw invalid('definition', 'must be an object');
  requireMembers(source, 'definition', ['source', 'entity', 'features'], ['ttl', 'history']);
  if (typeof source.source !== 'string' || source.source === '') throw invalid('source', 'must be the name of a stream');
  checkEntity(source.entity);
  for (const name of ['ttl', 'history'] as const) if (source[name] !== undefined) checkDuration(source[name], name);
  if (!isJsonObject(source.features)) throw invalid('features', 'must be an object of features by name');
  const names = Object.keys(source.features);
  if (names.length === 0) throw invalid('features', 'must have at least one feature');
  if (names.length > MAX_FEATURES) throw invalid('features', `has ${names.length} features; at most ${MAX_FEATURES} are allowed`);
  for (const name of names) checkFeature(name, source.features[name]);
  const definition = source as unknown as FeatureViewDefinition;
  orderOfExpressions(definition.features);
  return definition;
}

function checkEntity(entity: JsonValue): void {
  const fields = Array.isArray(entity) ? entity : [entity];
  if (fields.length === 0 || fields.length > MAX_ENTITY_FIELDS) {
    throw invalid('entity', `must name 1 to ${MAX_ENTITY_FIELDS} fields`);
  }
  for (const field of fields) {
    if (typeof field !== 'string' || field === '' || field.length > MAX_PATH)
      throw invalid('entity', 'must be a field or a list of fields');
  }
  if (new Set(fields).size !== fields.length) throw invalid('entity', 'names a field twice');
}

export function checkDuration(value: JsonValue, at: string): void {
  if (typeof value !== 'string' || parseWindowMs(value) === null) {
    throw invalid(at, `is ${JSON.stringify(value)}; it must be a duration such as "500ms", "30s", "5m", "24h" or "7d"`);
  }
  if (parseWindowMs(value) === 0) throw invalid(at, 'must be longer than 0');
}

function checkFeature(name: string, feature: JsonValue): void {
  const at = `features.${name.slice(0, 120)}`;
  // An object cannot have a member of this name as it has others.
  if (!FEATURE_NAME.test(name) || name === '__proto__')
    throw invalid(at, 'is no name of a feature: letters, digits and underscores, not a digit first, at most 100');
  if (!isJsonObject(feature)) throw invalid(at, 'must be an object');
  if (feature.expression !== undefined) checkExpression(feature, at);
  else checkAggregate(feature, at);
}

function checkAggregate(feature: JsonObject, at: string): void {
  if (feature.window === undefined)
    throw invalid(`${at}.window`, 'is missing: {"sliding": "5m"}, {"tumbling": …}, {"session": …}, {"rows": …} or "lifetime"');
  checkWindow(feature.window, `${at}.window`);
  if (feature.aggregate === 'ratio') checkRatio(feature, at);
  else checkMeasure(feature, at, ['window', 'default']);
}

function checkRatio(feature: JsonObject, at: string): void {
  requireMembers(feature, at, ['aggregate', 'numerator', 'denominator', 'window'], ['default']);
  for (const part of ['numerator', 'denominator'] as const) {
    const measure = feature[part];
    if (!isJsonObject(measure)) throw invalid(`${at}.${part}`, 'must be an aggregation');
    checkMeasure(measure, `${at}.${part}`, []);
  }
}

function checkExpression(feature: JsonObject, at: string): void {
  requireMembers(feature, at, ['expression'], []);
  if (typeof feature.expression !== 'string') throw invalid(`${at}.expression`, 'must be a text');
  parseExpression(feature.expression, `${at}.expression`);
}

/** The on-demand features, each after those it uses. Throws TW_VIEW_DEFINITION for a circle. */
export function orderOfExpressions(features: Record<string, FeatureDefinition>): string[] {
  const order: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (name: string, path: readonly string[]): void => {
    const feature = Object.hasOwn(features, name) ? features[name] : undefined;
    if (feature === undefined || !('expression' in feature) || state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      const circle = [...path.slice(path.indexOf(name)), name].join(' -> ');
      throw invalid(`features.${name}.expression`, `depends on itself: ${circle}`);
    }
    state.set(name, 'open');
    const tree = parseExpression(feature.expression, `features.${name}.expression`);
    for (const used of expressionNames(tree)) visit(used, [...path, name]);
    state.set(name, 'done');
    order.push(name);
  };
  for (const name of Object.keys(features)) visit(name, []);
  return order;
}
