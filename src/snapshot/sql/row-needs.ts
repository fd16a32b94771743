import { isJsonObject, type JsonValue } from '../../base/index.ts';
import type { ColumnCondition } from '../scan/scan-types.ts';
import type { TableNeeds } from './needs.ts';
import { type SqlNode, texts } from './parse.ts';
import { microsOf } from './time-range.ts';

/**
 * Which rows a SELECT needs of the tables in its FROM that the query names nowhere else: those that the simple comparisons of its WHERE may keep,
 * and, of a table alone, no more than its LIMIT.
 */
export function noteRows(
  tables: ReadonlyMap<string, TableNeeds>,
  uses: ReadonlyMap<string, number>,
  select: SqlNode,
  isTop: boolean,
): void {
  if (select.sample !== undefined) return;
  const parts = conjuncts(select.where_clause);
  for (const leg of legsOf(select.from_table)) {
    const table = tables.get(String(leg.table_name).toLowerCase());
    if (table === undefined || uses.get(table.name.toLowerCase()) !== 1 || texts(leg.column_name_alias).length > 0) continue;
    const isAlone = leg === select.from_table;
    const name = typeof leg.alias === 'string' && leg.alias !== '' ? leg.alias : table.name;
    for (const part of parts) table.conditions.push(...conditionsOf(part, { name: name.toLowerCase(), isAlone }));
    if (isTop && isAlone) table.limit = limitOf(select);
  }
}

/** By which sides of a join a row that WHERE refuses may be left out before. */
const SIDES: Readonly<Record<string, readonly ('left' | 'right')[]>> = {
  INNER: ['left', 'right'],
  LEFT: ['left', 'right'],
  RIGHT: ['left', 'right'],
  FULL: ['left', 'right'],
  OUTER: ['left', 'right'],
  SEMI: ['left'],
  ANTI: ['left'],
};

/**
 * The tables of a FROM of which a row that WHERE refuses may be left out before they are joined. A comparison is not true for null either: what
 * an outer join puts in place of such a row is refused as well. The right side of an ASOF join is no such table: leaving out the nearest row
 * would bring up the one behind it. Neither are those of a positional join.
 */
function legsOf(from: JsonValue | undefined): SqlNode[] {
  if (!isJsonObject(from) || from.sample !== undefined) return [];
  if (from.type === 'BASE_TABLE') return [from];
  if (from.type !== 'JOIN') return [];
  const sides = SIDES[String(from.join_type)] ?? [];
  if (['REGULAR', 'CROSS', 'NATURAL'].includes(String(from.ref_type))) return sides.flatMap(side => legsOf(from[side]));
  return from.ref_type === 'ASOF' && ['INNER', 'LEFT'].includes(String(from.join_type)) ? legsOf(from.left) : [];
}

function conjuncts(where: JsonValue | undefined): SqlNode[] {
  if (!isJsonObject(where)) return [];
  if (where.type !== 'CONJUNCTION_AND' || !Array.isArray(where.children)) return [where];
  return where.children.flatMap(conjuncts);
}

type Operator = ColumnCondition['operator'];

const OPERATORS: Readonly<Record<string, { plain: Operator; turned: Operator }>> = {
  COMPARE_EQUAL: { plain: '=', turned: '=' },
  COMPARE_NOTEQUAL: { plain: '<>', turned: '<>' },
  COMPARE_LESSTHAN: { plain: '<', turned: '>' },
  COMPARE_LESSTHANOREQUALTO: { plain: '<=', turned: '>=' },
  COMPARE_GREATERTHAN: { plain: '>', turned: '<' },
  COMPARE_GREATERTHANOREQUALTO: { plain: '>=', turned: '<=' },
};

/** A table as WHERE names it; alone, its columns need no such name. */
interface Leg {
  name: string;
  isAlone: boolean;
}

function conditionsOf(node: SqlNode, leg: Leg): ColumnCondition[] {
  if (node.type === 'COMPARE_BETWEEN') {
    return [...conditionOf(node.input, '>=', node.lower, leg), ...conditionOf(node.input, '<=', node.upper, leg)];
  }
  const operator = OPERATORS[String(node.type)];
  if (operator === undefined) return [];
  const plain = conditionOf(node.left, operator.plain, node.right, leg);
  return plain.length > 0 ? plain : conditionOf(node.right, operator.turned, node.left, leg);
}

function conditionOf(left: JsonValue | undefined, operator: Operator, right: JsonValue | undefined, leg: Leg): ColumnCondition[] {
  const column = columnOf(left, leg);
  if (column === null) return [];
  const value = TIMES.has(column.toLowerCase()) ? momentOf(right) : constantOf(right);
  return value === null ? [] : [{ column, operator, value }];
}

function columnOf(node: JsonValue | undefined, { name, isAlone }: Leg): string | null {
  if (!isJsonObject(node) || node.class !== 'COLUMN_REF') return null;
  const parts = texts(node.column_names);
  if (parts.length === 1 && isAlone) return parts[0];
  return parts.length === 2 && parts[0].toLowerCase() === name ? parts[1] : null;
}

const CONSTANT_TYPES: ReadonlySet<unknown> = new Set(['VARCHAR', 'INTEGER', 'BIGINT']);

function constantOf(node: JsonValue | undefined): string | number | null {
  if (!isJsonObject(node) || node.type !== 'VALUE_CONSTANT' || !isJsonObject(node.value)) return null;
  const { type, is_null: isNull, value } = node.value;
  if (isNull === true || !isJsonObject(type) || !CONSTANT_TYPES.has(type.id)) return null;
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}

const TIMES: ReadonlySet<string> = new Set(['_time', '_ingested_at']);

/** What a text may say so that DuckDB takes it for the same moment. */
const MOMENTS: Readonly<Record<string, RegExp>> = {
  'TIMESTAMP WITH TIME ZONE': /^/,
  TIMESTAMP: /^\d{4}-\d\d-\d\d([ T][\d:.]+)?$/,
  DATE: /^\d{4}-\d\d-\d\d$/,
};

/** A text compared with a time, or cast to one. */
function momentOf(node: JsonValue | undefined): { micros: number } | null {
  const isCast = isJsonObject(node) && node.type === 'OPERATOR_CAST' && node.try_cast !== true && isJsonObject(node.cast_type);
  const type = isCast && isJsonObject(node.cast_type) ? String(node.cast_type.id) : 'TIMESTAMP WITH TIME ZONE';
  const text = constantOf(isCast ? node.child : node);
  if (typeof text !== 'string' || MOMENTS[type]?.test(text) !== true) return null;
  const micros = microsOf(text);
  return micros === null ? null : { micros };
}

const PLAIN_ITEMS: ReadonlySet<unknown> = new Set(['COLUMN_REF', 'STAR', 'CONSTANT']);
/** Anything else of a SELECT may need more rows than it returns. */
const PLAIN_PARTS: ReadonlySet<string> = new Set(['type', 'select_list', 'from_table', 'modifiers', 'aggregate_handling']);

function isPlainItem(item: JsonValue): boolean {
  return isJsonObject(item) && PLAIN_ITEMS.has(item.class) && item.replace_list === undefined && item.expr === undefined;
}

function limitOf(select: SqlNode): number {
  const items = Array.isArray(select.select_list) ? select.select_list : [];
  const isPlain = Object.keys(select).every(part => PLAIN_PARTS.has(part)) && items.every(isPlainItem);
  const [modifier, ...others] = Array.isArray(select.modifiers) ? select.modifiers : [];
  if (!isPlain || others.length > 0 || !isJsonObject(modifier) || modifier.type !== 'LIMIT_MODIFIER')
    return Number.POSITIVE_INFINITY;
  const limit = constantOf(modifier.limit);
  const offset = modifier.offset === undefined ? 0 : constantOf(modifier.offset);
  return typeof limit === 'number' && typeof offset === 'number' ? limit + offset : Number.POSITIVE_INFINITY;
}
