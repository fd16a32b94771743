import { isJsonObject, type JsonValue, valueAt } from '../../base/index.ts';
import type { Comparison, Filter } from './filter.ts';

/**
 * Whether a record's value satisfies the filter. Numbers compare as IEEE doubles (1 equals 1.0; integers beyond 2^53 arrive
 * rounded and compare rounded); null equals null and differs from a missing field; an ordering holds only between two numbers or
 * two strings, strings by code point; negations hold for missing fields.
 */
export function matches(filter: Filter, value: JsonValue): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.filters.every(inner => matches(inner, value));
    case 'or':
      return filter.filters.some(inner => matches(inner, value));
    case 'not':
      return !matches(filter.filter, value);
    default:
      return matchesField(filter, valueAt(value, filter.path));
  }
}

function matchesField(filter: Exclude<Filter, { kind: 'and' | 'or' | 'not' }>, found: JsonValue | undefined): boolean {
  switch (filter.kind) {
    case 'equal':
      return (found !== undefined && equalJson(found, filter.value)) !== filter.negated;
    case 'in':
      return (found !== undefined && isOneOf(found, filter.values, filter.scalars)) !== filter.negated;
    case 'exists':
      return (found !== undefined) === filter.exists;
    case 'compare':
      return found !== undefined && holds(filter.operator, found, filter.value);
    case 'contains':
      return found !== undefined && contains(found, filter.value);
  }
}

function isOneOf(found: JsonValue, values: readonly JsonValue[], scalars: ReadonlySet<JsonValue>): boolean {
  if (typeof found !== 'object' || found === null) return scalars.has(found);
  return scalars.size < values.length && values.some(value => equalJson(found, value));
}

function contains(found: JsonValue, wanted: JsonValue): boolean {
  if (typeof found === 'string') return typeof wanted === 'string' && found.includes(wanted);
  return Array.isArray(found) && found.some(element => equalJson(element, wanted));
}

function holds(operator: Comparison, found: JsonValue, limit: number | string): boolean {
  const order = compareJson(found, limit);
  if (order === undefined) return false;
  switch (operator) {
    case 'gt':
      return order > 0;
    case 'gte':
      return order >= 0;
    case 'lt':
      return order < 0;
    case 'lte':
      return order <= 0;
  }
}

function compareJson(a: JsonValue, b: number | string): number | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return compareCodePoints(a, b);
  return undefined;
}

/** UTF-16 order differs from code point order only where a surrogate meets a unit above the surrogates. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB);
  }
  return a.length - b.length;
}

function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Deep equality of JSON values; the order of an object's fields does not matter. */
function equalJson(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, index) => equalJson(element, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name) && equalJson(a[name], b[name]));
}
