import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { Comparison, Filter } from './filter.ts';

const MAX_DEPTH = 16;
const MAX_CONDITIONS = 1_000;
/** Also bounds the recursion of comparing values. */
const MAX_VALUE_DEPTH = 64;
const MAX_LIST_VALUES = 10_000;
const MAX_PATH_LENGTH = 1_000;

const COMPARISONS: Readonly<Record<string, Comparison>> = { $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' };

/**
 * Parses the filter language of queries and scans:
 * `{field: value}`, `{field: {$eq|$ne|$gt|$gte|$lt|$lte|$in|$nin|$exists|$contains|$not: …}}`, `{$and|$or: […]}`, `{$not: …}`.
 * Several fields or operators in one object must all hold; `{}` holds for everything. An object without `$`-names is a value to equal.
 * At most 16 levels, 1,000 conditions and 10,000 values per list. Throws TW_BAD_REQUEST naming the place.
 */
export function parseFilter(filter: JsonValue): Filter {
  return new FilterParser().parse(filter, 'filter', 0);
}

class FilterParser {
  #conditions = 0;

  parse(source: JsonValue, at: string, depth: number): Filter {
    if (!isJsonObject(source)) throw bad(at, 'must be an object');
    requireDepth(at, depth);
    const parts: Filter[] = [];
    for (const [name, operand] of Object.entries(source)) {
      const place = `${at}.${name}`;
      if (name === '$and' || name === '$or') parts.push(this.#list(name, operand, place, depth));
      else if (name === '$not') parts.push({ kind: 'not', filter: this.parse(operand, place, depth + 1) });
      else if (name.startsWith('$')) throw bad(place, 'is not an operator here; known are $and, $or, $not and field names');
      else parts.push(this.#field(name, operand, place, depth));
    }
    return all(parts);
  }

  #list(name: '$and' | '$or', operand: JsonValue, at: string, depth: number): Filter {
    if (!Array.isArray(operand) || operand.length === 0) throw bad(at, 'must be a list of at least one filter');
    if (operand.length > MAX_CONDITIONS) throw bad(at, `has ${operand.length} filters; at most ${MAX_CONDITIONS} are allowed`);
    const filters = operand.map((inner, index) => this.parse(inner, `${at}[${index}]`, depth + 1));
    return { kind: name === '$and' ? 'and' : 'or', filters };
  }

  #field(path: string, operand: JsonValue, at: string, depth: number): Filter {
    if (path.length === 0 || path.length > MAX_PATH_LENGTH) {
      throw bad(at.slice(0, 100), `names a field of ${path.length} characters; 1 to ${MAX_PATH_LENGTH} are allowed`);
    }
    if (!isJsonObject(operand) || !hasOperators(operand, at)) {
      this.#count(at);
      requireShallow(operand, at, 0);
      return { kind: 'equal', path, value: operand, negated: false };
    }
    return this.#operators(path, operand, at, depth);
  }

  #operators(path: string, operators: JsonObject, at: string, depth: number): Filter {
    requireDepth(at, depth);
    const parts: Filter[] = [];
    for (const [name, operand] of Object.entries(operators)) {
      const place = `${at}.${name}`;
      if (name === '$not') {
        if (!isJsonObject(operand) || !hasOperators(operand, place)) throw bad(place, 'must be an object of operators');
        parts.push({ kind: 'not', filter: this.#operators(path, operand, place, depth + 1) });
      } else {
        this.#count(place);
        requireShallow(operand, place, 0);
        parts.push(condition(path, name, operand, place));
      }
    }
    return all(parts);
  }

  #count(at: string): void {
    if (++this.#conditions > MAX_CONDITIONS) throw bad(at, `is beyond the limit of ${MAX_CONDITIONS} conditions`);
  }
}

function requireDepth(at: string, depth: number): void {
  if (depth > MAX_DEPTH) throw bad(at.slice(0, 100), `is nested deeper than ${MAX_DEPTH} levels`);
}

function requireShallow(value: JsonValue, at: string, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_VALUE_DEPTH) throw bad(at, `holds a value nested deeper than ${MAX_VALUE_DEPTH} levels`);
  for (const inner of Object.values(value)) requireShallow(inner, at, depth + 1);
}

function condition(path: string, name: string, operand: JsonValue, at: string): Filter {
  const operator = Object.hasOwn(COMPARISONS, name) ? COMPARISONS[name] : undefined;
  if (operator !== undefined) {
    if (typeof operand !== 'number' && typeof operand !== 'string') throw bad(at, 'must be a number or a string');
    return { kind: 'compare', path, operator, value: operand };
  }
  switch (name) {
    case '$eq':
    case '$ne':
      return { kind: 'equal', path, value: operand, negated: name === '$ne' };
    case '$in':
    case '$nin':
      return { kind: 'in', path, ...listOf(operand, at), negated: name === '$nin' };
    case '$exists':
      if (typeof operand !== 'boolean') throw bad(at, 'must be true or false');
      return { kind: 'exists', path, exists: operand };
    case '$contains':
      return { kind: 'contains', path, value: operand };
    default:
      throw bad(at, 'is not an operator; known are $eq $ne $gt $gte $lt $lte $in $nin $exists $contains $not');
  }
}

function listOf(operand: JsonValue, at: string): { values: JsonValue[]; scalars: ReadonlySet<JsonValue> } {
  if (!Array.isArray(operand)) throw bad(at, 'must be a list of values');
  if (operand.length > MAX_LIST_VALUES) throw bad(at, `has ${operand.length} values; at most ${MAX_LIST_VALUES} are allowed`);
  return { values: operand, scalars: new Set(operand.filter(value => typeof value !== 'object' || value === null)) };
}

function hasOperators(source: JsonObject, at: string): boolean {
  const names = Object.keys(source);
  const operators = names.filter(name => name.startsWith('$')).length;
  if (operators > 0 && operators < names.length) throw bad(at, 'mixes operators with plain names');
  return operators > 0;
}

function all(parts: Filter[]): Filter {
  return parts.length === 1 ? parts[0] : { kind: 'and', filters: parts };
}

function bad(at: string, problem: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${at} ${problem}.`, data: { path: at } });
}
