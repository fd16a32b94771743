import { TailwaterError } from '../../base/index.ts';
import { type Namespace, namespaceKey, shownName, type TableName, tableKey, tableNameOf } from './names.ts';

/** The key of the document. */
export const CATALOG_KEY = 'iceberg/catalog';

/** Where the metadata of a table are: `metadata` is the name of a file below the warehouse, never used twice. */
export interface TableEntry {
  uuid: string;
  /** The table's own folder below the warehouse. */
  folder: string;
  metadata: string;
  /** Of the metadata file. */
  crc32c: string;
  /** How many commits made it. */
  version: number;
}

/** Everything that the catalog decides, in one document: replacing it is the commit, of however many tables. */
export interface CatalogDocument {
  formatVersion: 1;
  /** Properties by the key of the namespace. */
  namespaces: Record<string, Record<string, string>>;
  /** By the key of the table. */
  tables: Record<string, TableEntry>;
}

export const EMPTY_CATALOG: CatalogDocument = { formatVersion: 1, namespaces: {}, tables: {} };

export function requireNamespace(document: CatalogDocument, namespace: Namespace): Record<string, string> {
  const key = namespaceKey(namespace);
  if (Object.hasOwn(document.namespaces, key)) return document.namespaces[key];
  throw new TailwaterError('TW_NAMESPACE_NOT_FOUND', { detail: `There is no namespace "${namespace.join('.')}".` });
}

export function entryOf(document: CatalogDocument, table: TableName): TableEntry | null {
  const key = tableKey(table);
  return Object.hasOwn(document.tables, key) ? document.tables[key] : null;
}

export function requireTable(document: CatalogDocument, table: TableName): TableEntry {
  const entry = entryOf(document, table);
  if (entry !== null) return entry;
  throw new TailwaterError('TW_TABLE_NOT_FOUND', { detail: `There is no table "${shownName(table)}".` });
}

export function withNamespace(
  document: CatalogDocument,
  namespace: Namespace,
  properties: Record<string, string>,
): CatalogDocument {
  const key = namespaceKey(namespace);
  if (Object.hasOwn(document.namespaces, key)) throw namespaceExists(namespace);
  return { ...document, namespaces: { ...document.namespaces, [key]: properties } };
}

export function namespaceExists(namespace: Namespace): TailwaterError {
  return new TailwaterError('TW_NAMESPACE_EXISTS', { detail: `The namespace "${namespace.join('.')}" exists already.` });
}

export function withProperties(
  document: CatalogDocument,
  namespace: Namespace,
  properties: Record<string, string>,
): CatalogDocument {
  return { ...document, namespaces: { ...document.namespaces, [namespaceKey(namespace)]: properties } };
}

/** TW_NAMESPACE_NOT_EMPTY when it has tables or namespaces below it. */
export function withoutNamespace(document: CatalogDocument, namespace: Namespace): CatalogDocument {
  requireNamespace(document, namespace);
  const inside = tablesIn(document, namespace).length + childrenOf(document, namespace).length;
  if (inside > 0) {
    throw new TailwaterError('TW_NAMESPACE_NOT_EMPTY', {
      detail: `The namespace "${namespace.join('.')}" has ${inside} tables or namespaces.`,
    });
  }
  const { [namespaceKey(namespace)]: _gone, ...namespaces } = document.namespaces;
  return { ...document, namespaces };
}

/** The namespaces one level below; of null, those at the top. */
export function childrenOf(document: CatalogDocument, parent: Namespace | null): string[][] {
  const depth = parent?.length ?? 0;
  const below = Object.keys(document.namespaces)
    .map(key => key.split('\u001f'))
    .filter(levels => levels.length > depth && (parent ?? []).every((level, at) => levels[at] === level))
    .map(levels => levels.slice(0, depth + 1));
  return [...new Map(below.map(levels => [namespaceKey(levels), levels])).values()].sort(byText);
}

export function tablesIn(document: CatalogDocument, namespace: Namespace): TableName[] {
  const key = namespaceKey(namespace);
  const all = Object.keys(document.tables).map(tableNameOf);
  return all.filter(table => namespaceKey(table.namespace) === key).sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function withoutTable(document: CatalogDocument, table: TableName): CatalogDocument {
  requireTable(document, table);
  const { [tableKey(table)]: _gone, ...tables } = document.tables;
  return { ...document, tables };
}

export function withRenamed(document: CatalogDocument, from: TableName, to: TableName): CatalogDocument {
  const entry = requireTable(document, from);
  requireNamespace(document, to.namespace);
  if (entryOf(document, to) !== null) throw tableExists(to);
  const without = withoutTable(document, from);
  return { ...without, tables: { ...without.tables, [tableKey(to)]: entry } };
}

export function tableExists(table: TableName): TailwaterError {
  return new TailwaterError('TW_TABLE_EXISTS', { detail: `The table "${shownName(table)}" exists already.` });
}

/** One table's step: from the metadata file that it was planned on (null: no table) to the next. */
export interface TableStep {
  table: TableName;
  base: string | null;
  next: TableEntry;
}

/** All steps at once; null when a table is no longer as it was when its step was planned. */
export function withSteps(document: CatalogDocument, steps: readonly TableStep[]): CatalogDocument | null {
  const tables = { ...document.tables };
  for (const { table, base, next } of steps) {
    requireNamespace(document, table.namespace);
    if ((entryOf(document, table)?.metadata ?? null) !== base) return null;
    const takenBy = Object.keys(tables).find(key => tables[key].folder === next.folder && key !== tableKey(table));
    if (takenBy !== undefined) {
      throw new TailwaterError('TW_BAD_REQUEST', {
        detail: `The location is that of the table "${shownName(tableNameOf(takenBy))}".`,
      });
    }
    tables[tableKey(table)] = next;
  }
  return { ...document, tables };
}

function byText(one: readonly string[], other: readonly string[]): number {
  return namespaceKey(one) < namespaceKey(other) ? -1 : 1;
}
