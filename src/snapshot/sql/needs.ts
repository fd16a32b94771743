import { isJsonObject, type JsonValue } from '../../base/index.ts';
import type { ColumnCondition } from '../scan/scan-types.ts';
import { nodesOf, notAllowed, type SqlNode } from './parse.ts';

/** What a query needs of one table. */
export interface TableNeeds {
  /** As the query writes it; the same table may be written in several ways. */
  name: string;
  /** Every column; else those that `SqlNeeds.names` has. */
  all: boolean;
  /** Rows that a condition is not true for are not needed. */
  conditions: ColumnCondition[];
  /** Rows needed at most. */
  limit: number;
}

export interface SqlNeeds {
  /** By lower-case name. */
  tables: Map<string, TableNeeds>;
  /** Every name that may be one of a column, in lower case: a superset, told by the text alone. */
  names: Set<string>;
}

/**
 * What a query reads, from its syntax tree alone. Columns: every name that occurs, and all of a table that a star, a natural join or its own
 * name stands for. Conditions and limits: where a query reads one table, once. Too much costs time; too little is an error of the binder.
 */
export function needsOf(tree: SqlNode, isStream: (name: string) => boolean): SqlNeeds {
  const needs: SqlNeeds = { tables: new Map(), names: new Set() };
  const uses = new Map<string, number>();
  const named = namedQueries(tree);
  for (const node of nodesOf(tree)) {
    if (node.type !== 'BASE_TABLE') continue;
    // A named query may have the name of a stream, and read it.
    if (named.has(String(node.table_name).toLowerCase()) && !isStream(String(node.table_name))) continue;
    const table = tableOf(needs, node);
    uses.set(table.name.toLowerCase(), (uses.get(table.name.toLowerCase()) ?? 0) + 1);
  }
  const aliases = aliasesOf(needs, tree);
  for (const node of nodesOf(tree)) noteNode(needs, aliases, node);
  for (const node of nodesOf(tree)) {
    if (node.type === 'SELECT_NODE') noteSingle(needs, uses, node, node === tree);
  }
  return needs;
}

function tableOf(needs: SqlNeeds, node: SqlNode): TableNeeds {
  const name = String(node.table_name);
  const isPlain = (node.schema_name ?? 'main') === 'main' && (node.catalog_name ?? '') === '';
  if (!isPlain) {
    const dotted = [node.catalog_name, node.schema_name, name].filter(part => part !== undefined && part !== '').join('.');
    throw notAllowed(`There is no schema or catalog to read from; if "${dotted}" is a stream, write its name in double quotes.`);
  }
  const known = needs.tables.get(name.toLowerCase());
  if (known !== undefined) return known;
  const table = { name, all: false, conditions: [], limit: Number.POSITIVE_INFINITY };
  needs.tables.set(name.toLowerCase(), table);
  return table;
}

/** The names of WITH, in lower case. */
function namedQueries(tree: SqlNode): Set<string> {
  const names = new Set<string>();
  for (const { cte_map: map } of nodesOf(tree)) {
    if (!isJsonObject(map) || !Array.isArray(map.map)) continue;
    for (const entry of map.map) if (isJsonObject(entry)) names.add(String(entry.key).toLowerCase());
  }
  return names;
}

/** Alias or name -> the table. */
function aliasesOf(needs: SqlNeeds, tree: SqlNode): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const { type, alias, table_name } of nodesOf(tree)) {
    if (type !== 'BASE_TABLE') continue;
    const table = String(table_name).toLowerCase();
    if (!needs.tables.has(table)) continue;
    aliases.set(table, table);
    if (typeof alias === 'string' && alias !== '') aliases.set(alias.toLowerCase(), table);
  }
  return aliases;
}

function noteNode(needs: SqlNeeds, aliases: ReadonlyMap<string, string>, node: SqlNode): void {
  if (node.class === 'COLUMN_REF') {
    const parts = texts(node.column_names).map(part => part.toLowerCase());
    for (const part of parts) needs.names.add(part);
    const whole = parts.length === 1 ? aliases.get(parts[0]) : undefined;
    if (whole !== undefined) needs.tables.get(whole)!.all = true;
  }
  // Columns that are renamed are told by their place.
  if (node.type === 'BASE_TABLE' && texts(node.column_name_alias).length > 0) takeAll(needs, node);
  for (const column of texts(node.using_columns)) needs.names.add(column.toLowerCase());
  if (node.type === 'SELECT_NODE' && hasOwnStar(node.select_list)) takeAll(needs, node.from_table);
  if (node.type === 'JOIN' && node.ref_type === 'NATURAL') takeAll(needs, node);
  if (['PIVOT', 'SHOW_REF', 'POSITIONAL_REFERENCE'].includes(String(node.type)))
    for (const table of needs.tables.values()) table.all = true;
}

/** A star of this SELECT, not of one within. */
function hasOwnStar(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) return value.some(hasOwnStar);
  if (!isJsonObject(value) || value.type === 'SELECT_NODE') return false;
  return value.class === 'STAR' || Object.values(value).some(hasOwnStar);
}

/** All columns of the tables that stand in this FROM, not of those in its subqueries. */
function takeAll(needs: SqlNeeds, from: JsonValue | undefined): void {
  if (!isJsonObject(from)) return;
  if (from.type === 'BASE_TABLE') {
    const table = needs.tables.get(String(from.table_name).toLowerCase());
    if (table !== undefined) table.all = true;
  } else for (const side of [from.left, from.right, from.source]) takeAll(needs, side);
}

/** A SELECT over a table that the query names nowhere else: only rows that its WHERE may keep are needed, and no more than its LIMIT. */
function noteSingle(needs: SqlNeeds, uses: ReadonlyMap<string, number>, select: SqlNode, isTop: boolean): void {
  const from = select.from_table;
  if (!isJsonObject(from) || from.type !== 'BASE_TABLE' || from.sample !== undefined || select.sample !== undefined) return;
  const table = needs.tables.get(String(from.table_name).toLowerCase());
  if (table === undefined || uses.get(table.name.toLowerCase()) !== 1 || texts(from.column_name_alias).length > 0) return;
  const own = new Set([table.name, typeof from.alias === 'string' ? from.alias : table.name].map(name => name.toLowerCase()));
  for (const part of conjuncts(select.where_clause)) {
    const condition = conditionOf(part, own);
    if (condition !== null) table.conditions.push(condition);
  }
  if (isTop) table.limit = limitOf(select);
}

function conjuncts(where: JsonValue | undefined): SqlNode[] {
  if (!isJsonObject(where)) return [];
  if (where.type !== 'CONJUNCTION_AND' || !Array.isArray(where.children)) return [where];
  return where.children.flatMap(conjuncts);
}

const OPERATORS: Readonly<Record<string, { plain: ColumnCondition['operator']; turned: ColumnCondition['operator'] }>> = {
  COMPARE_EQUAL: { plain: '=', turned: '=' },
  COMPARE_NOTEQUAL: { plain: '<>', turned: '<>' },
  COMPARE_LESSTHAN: { plain: '<', turned: '>' },
  COMPARE_LESSTHANOREQUALTO: { plain: '<=', turned: '>=' },
  COMPARE_GREATERTHAN: { plain: '>', turned: '<' },
  COMPARE_GREATERTHANOREQUALTO: { plain: '>=', turned: '<=' },
};

function conditionOf(node: SqlNode, own: ReadonlySet<string>): ColumnCondition | null {
  const operator = OPERATORS[String(node.type)];
  if (operator === undefined) return null;
  const [left, right] = [columnOf(node.left, own), columnOf(node.right, own)];
  const column = left ?? right;
  const value = constantOf(left === null ? node.left : node.right);
  if (column === null || value === null) return null;
  return { column, operator: left === null ? operator.turned : operator.plain, value };
}

function columnOf(node: JsonValue | undefined, own: ReadonlySet<string>): string | null {
  if (!isJsonObject(node) || node.class !== 'COLUMN_REF') return null;
  const parts = texts(node.column_names);
  if (parts.length === 1) return parts[0];
  return parts.length === 2 && own.has(parts[0].toLowerCase()) ? parts[1] : null;
}

const CONSTANT_TYPES: ReadonlySet<unknown> = new Set(['VARCHAR', 'INTEGER', 'BIGINT']);

function constantOf(node: JsonValue | undefined): string | number | boolean | null {
  if (!isJsonObject(node) || node.type !== 'VALUE_CONSTANT' || !isJsonObject(node.value)) return null;
  const { type, is_null: isNull, value } = node.value;
  if (isNull === true || !isJsonObject(type) || !CONSTANT_TYPES.has(type.id)) return null;
  return typeof value === 'string' || typeof value === 'number' ? value : null;
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

function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
}
