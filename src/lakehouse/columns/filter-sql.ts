import type { JsonValue } from '../../base/index.ts';
import type { Comparison, Filter } from '../../streams/index.ts';
import type { TableColumn, TableSchema } from '../table-types.ts';
import { quotedName, textLiteral } from './sql.ts';

type Leaf = Exclude<Filter, { kind: 'and' | 'or' | 'not' }>;

/** A value that did not fit its column, or has none, is in `_extra`: such rows are never ruled out by a positive condition. */
const IN_EXTRA = '_extra IS NOT NULL';

/**
 * The filter as Lance SQL over the columns: true for every row whose value matches, and for others where columns cannot tell (a null
 * column may be a JSON null or a missing field; json columns say nothing). Null: nothing can be ruled out.
 */
export function filterToSql(filter: Filter, schema: TableSchema): string | null {
  return superset(filter, new Columns(schema), false);
}

/**
 * Whether the SQL says exactly what the filter says of every row without `_extra`: then only rows that have one need a second look.
 */
export function isExactWithoutExtra(filter: Filter, schema: TableSchema): boolean {
  return isExact(filter, new Columns(schema));
}

function isExact(filter: Filter, columns: Columns): boolean {
  switch (filter.kind) {
    case 'not':
      return isExact(filter.filter, columns);
    case 'and':
    case 'or':
      return filter.filters.every(inner => isExact(inner, columns));
    default:
      return isExactLeaf(filter, columns);
  }
}

function isExactLeaf(leaf: Leaf, columns: Columns): boolean {
  const column = columns.find(leaf.path);
  if (column === 'extra') return true;
  if (column === 'unknown' || column.literal || leaf.kind === 'exists' || mentionsNull(leaf)) return false;
  return conditionOf(leaf, quotedName(column.name), column.type) !== undefined;
}

function superset(filter: Filter, columns: Columns, negated: boolean): string | null {
  switch (filter.kind) {
    case 'not':
      return superset(filter.filter, columns, !negated);
    case 'and':
    case 'or': {
      const parts = filter.filters.map(inner => superset(inner, columns, negated));
      return (filter.kind === 'and') === negated ? anyOf(parts) : allOf(parts);
    }
    default:
      return leafSql(filter, columns, negated);
  }
}

function allOf(parts: readonly (string | null)[]): string | null {
  const known = parts.filter(part => part !== null);
  return known.length === 0 ? null : `(${known.join(' AND ')})`;
}

/** Null as soon as one alternative cannot be ruled out. No alternative at all is never true. */
function anyOf(parts: readonly (string | null)[]): string | null {
  if (parts.length === 0) return 'FALSE';
  return parts.includes(null) ? null : `(${parts.join(' OR ')})`;
}

function leafSql(leaf: Leaf, columns: Columns, negated: boolean): string | null {
  const column = columns.find(leaf.path);
  const negative =
    negated !== (leaf.kind === 'equal' || leaf.kind === 'in' ? leaf.negated : leaf.kind === 'exists' && !leaf.exists);
  if (column === 'unknown') return null;
  if (column === 'extra') return negative ? null : IN_EXTRA;
  const name = quotedName(column.name);
  if (leaf.kind === 'exists') return negative ? `${name} IS NULL` : null;
  const condition = conditionOf(leaf, name, column.type);
  if (condition === undefined) return null;
  if (negative) return condition === NEVER || mentionsNull(leaf) ? null : `(NOT ${condition} OR ${name} IS NULL)`;
  const parts = condition === NEVER ? [IN_EXTRA] : [condition, IN_EXTRA];
  if (column.literal || mentionsNull(leaf)) parts.unshift(`${name} IS NULL`);
  return `(${parts.join(' OR ')})`;
}

/** Whether a JSON null satisfies the leaf: SQL cannot tell it from a missing field. */
function mentionsNull(leaf: Leaf): boolean {
  return (leaf.kind === 'equal' && leaf.value === null) || (leaf.kind === 'in' && leaf.scalars.has(null));
}

/** No value of the column satisfies it. */
const NEVER = 'FALSE';

/** Exact for values in the column: true where they satisfy the leaf (as if it were not negated). Undefined: SQL cannot say. */
function conditionOf(leaf: Exclude<Leaf, { kind: 'exists' }>, name: string, type: TableColumn['type']): string | undefined {
  if (type === 'json') return isNullOnly(leaf) ? NEVER : undefined;
  switch (leaf.kind) {
    case 'equal':
      return equalTo([leaf.value], name, type);
    case 'in':
      return equalTo(leaf.values, name, type);
    case 'compare':
      return compared(leaf.operator, leaf.value, name, type);
    case 'contains':
      if (type !== 'string' || typeof leaf.value !== 'string') return NEVER;
      return leaf.value.isWellFormed() ? `contains(${name}, ${textLiteral(leaf.value)})` : undefined;
  }
}

function isNullOnly(leaf: Leaf): boolean {
  return (leaf.kind === 'equal' && leaf.value === null) || (leaf.kind === 'in' && leaf.values.every(value => value === null));
}

function equalTo(values: readonly JsonValue[], name: string, type: TableColumn['type']): string | undefined {
  const literals = new Set<string>();
  for (const value of values) {
    if (typeof value !== SCALARS[type]) continue;
    if (typeof value === 'number' && type === 'int64' && !Number.isInteger(value)) continue;
    const literal = literalOf(value, type);
    if (literal === undefined) return undefined;
    literals.add(literal);
  }
  if (literals.size === 0) return NEVER;
  return literals.size === 1 ? `${name} = ${[...literals][0]}` : `${name} IN (${[...literals].join(', ')})`;
}

const SQL_OPERATORS: Readonly<Record<Comparison, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

function compared(operator: Comparison, limit: number | string, name: string, type: TableColumn['type']): string | undefined {
  if (typeof limit !== SCALARS[type]) return NEVER;
  if (typeof limit === 'number' && type === 'int64' && !Number.isInteger(limit)) {
    const rising = operator === 'gt' || operator === 'gte';
    return compared(rising ? 'gt' : 'lt', rising ? Math.floor(limit) : Math.ceil(limit), name, type);
  }
  const literal = literalOf(limit, type);
  return literal === undefined ? undefined : `${name} ${SQL_OPERATORS[operator]} ${literal}`;
}

const SCALARS: Readonly<Record<TableColumn['type'], string>> = {
  bool: 'boolean',
  int64: 'number',
  float64: 'number',
  string: 'string',
  json: 'none',
};

/** Undefined when the literal cannot be written exactly, or not compared as JSON compares. */
function literalOf(value: JsonValue, type: TableColumn['type']): string | undefined {
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (typeof value === 'string') return value.isWellFormed() ? textLiteral(value) : undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  if (type === 'int64') return Number.isSafeInteger(value) ? String(value + 0) : undefined;
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value + 0}.0` : String(value);
}

/** Where the value at a path may be. */
class Columns {
  readonly #byPath = new Map<string, TableColumn>();
  readonly #groups = new Set<string>();

  constructor(schema: TableSchema) {
    for (const column of schema.columns) {
      const known = this.#byPath.get(column.path);
      if (known === undefined || column.literal) this.#byPath.set(column.path, column);
      if (!column.literal) for (const prefix of prefixesOf(column.path)) this.#groups.add(prefix);
    }
  }

  /** `extra`: in no column, so in `_extra` if anywhere. `unknown`: columns cannot say. */
  find(path: string): TableColumn | 'extra' | 'unknown' {
    const column = this.#byPath.get(path);
    if (column !== undefined) return column;
    if (this.#groups.has(path)) return 'unknown';
    const insideJson = prefixesOf(path).some(prefix => {
      const outer = this.#byPath.get(prefix);
      return outer !== undefined && outer.type === 'json';
    });
    return insideJson ? 'unknown' : 'extra';
  }
}

/** `a` and `a.b` of `a.b.c`. */
function prefixesOf(path: string): string[] {
  const prefixes: string[] = [];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) prefixes.push(path.slice(0, dot));
  return prefixes;
}
