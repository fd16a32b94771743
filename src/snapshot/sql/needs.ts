import { isJsonObject, type JsonValue } from '../../base/index.ts';
import type { ColumnCondition } from '../scan/scan-types.ts';
import { nodesOf, notAllowed, type SqlNode, texts } from './parse.ts';
import { noteRows } from './row-needs.ts';

/** What a query needs of one table. */
export interface TableNeeds {
  /** As the query writes it; the same table may be written in several ways. */
  name: string;
  /** Every column; else those that are in `columns` or in `SqlNeeds.names`. */
  all: boolean;
  /** In lower case: what may be columns of this table, and of no other. */
  columns: Set<string>;
  /** Rows that a condition is not true for are not needed. */
  conditions: ColumnCondition[];
  /** Rows needed at most. */
  limit: number;
}

export interface SqlNeeds {
  /** By lower-case name. */
  tables: Map<string, TableNeeds>;
  /** Every name that may be one of a column of any table, in lower case: a superset, told by the text alone. */
  names: Set<string>;
}

/**
 * What a query reads, from its syntax tree alone. Columns: every name that occurs, for the one table where it says so, and all of a table that
 * a star, a natural join or its own name stands for. Conditions and limits: of a table that a query reads once. Too many columns cost time; too
 * few are an error of the binder.
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
    if (node.type === 'SELECT_NODE') noteRows(needs.tables, uses, node, node === tree);
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
  const table = { name, all: false, columns: new Set<string>(), conditions: [], limit: Number.POSITIVE_INFINITY };
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

/** Aliases and names, in lower case, with the tables that they may stand for: scopes are not told apart. */
function aliasesOf(needs: SqlNeeds, tree: SqlNode): Map<string, Set<TableNeeds>> {
  const aliases = new Map<string, Set<TableNeeds>>();
  for (const { type, alias, table_name } of nodesOf(tree)) {
    const table = type === 'BASE_TABLE' ? needs.tables.get(String(table_name).toLowerCase()) : undefined;
    if (table === undefined) continue;
    const names = typeof alias === 'string' && alias !== '' ? [alias, table.name] : [table.name];
    for (const name of names) {
      const known = aliases.get(name.toLowerCase()) ?? new Set();
      aliases.set(name.toLowerCase(), known.add(table));
    }
  }
  return aliases;
}

type Aliases = ReturnType<typeof aliasesOf>;

function noteNode(needs: SqlNeeds, aliases: Aliases, node: SqlNode): void {
  if (node.class === 'COLUMN_REF') noteColumn(needs, aliases, texts(node.column_names));
  // Columns that are renamed are told by their place.
  if (node.type === 'BASE_TABLE' && texts(node.column_name_alias).length > 0) takeAll(needs, node);
  for (const column of texts(node.using_columns)) needs.names.add(column.toLowerCase());
  if (node.type === 'SELECT_NODE') noteStars(needs, aliases, node);
  if (node.type === 'JOIN' && node.ref_type === 'NATURAL') takeAll(needs, node);
  if (['PIVOT', 'SHOW_REF', 'POSITIONAL_REFERENCE'].includes(String(node.type)))
    for (const table of needs.tables.values()) table.all = true;
}

/** `t.c` is a column of `t`, or a field of a column `t`; `t` alone may be all of a row. */
function noteColumn(needs: SqlNeeds, aliases: Aliases, names: readonly string[]): void {
  const parts = names.map(name => name.toLowerCase());
  const tables = aliases.get(parts[0]);
  if (tables === undefined) for (const part of parts) needs.names.add(part);
  else {
    needs.names.add(parts[0]);
    for (const part of parts.slice(2)) needs.names.add(part);
    for (const table of tables) {
      if (parts.length === 1) table.all = true;
      else table.columns.add(parts[1]);
    }
  }
}

function noteStars(needs: SqlNeeds, aliases: Aliases, select: SqlNode): void {
  for (const { relation_name: relation } of ownStars(select.select_list)) {
    if (typeof relation !== 'string' || relation === '') takeAll(needs, select.from_table);
    else for (const table of aliases.get(relation.toLowerCase()) ?? []) table.all = true;
  }
}

/** Of this SELECT, not of those within. */
function ownStars(value: JsonValue | undefined): SqlNode[] {
  if (Array.isArray(value)) return value.flatMap(ownStars);
  if (!isJsonObject(value) || value.type === 'SELECT_NODE') return [];
  return value.class === 'STAR' ? [value] : Object.values(value).flatMap(ownStars);
}

/** All columns of the tables that stand in this FROM, not of those in its subqueries. */
function takeAll(needs: SqlNeeds, from: JsonValue | undefined): void {
  if (!isJsonObject(from)) return;
  if (from.type === 'BASE_TABLE') {
    const table = needs.tables.get(String(from.table_name).toLowerCase());
    if (table !== undefined) table.all = true;
  } else for (const side of [from.left, from.right, from.source]) takeAll(needs, side);
}
