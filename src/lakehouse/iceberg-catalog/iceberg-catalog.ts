import { TailwaterError } from '../../base/index.ts';
import { VersionedDocument } from '../../storage/index.ts';
import type { JsonMap } from '../iceberg/exact-json.ts';
import type { TableFiles } from '../iceberg/table-files.ts';
import {
  CATALOG_KEY,
  type CatalogDocument,
  childrenOf,
  namespaceExists,
  requireNamespace,
  tableExists,
  tablesIn,
  withNamespace,
  withoutNamespace,
  withProperties,
  withRenamed,
} from './catalog-document.ts';
import { type Namespace, shownName, type TableName } from './names.ts';
import { type LoadedTable, OwnTables, type TableChange } from './own-tables.ts';
import { assertsCreation, conflict } from './requirements.ts';
import { STREAM_NAMESPACES, StreamedTables, type StreamedTablesOptions } from './streamed-tables.ts';

export interface IcebergCatalogOptions extends StreamedTablesOptions {
  /** Where the tables are that other engines write. */
  warehouse: TableFiles;
}

export interface PropertyChange {
  removals: readonly string[];
  updates: Readonly<Record<string, string>>;
}

/** What Iceberg's REST catalog serves: the tables of streams, to read, and tables of their own, which other engines write. */
export class IcebergCatalog {
  readonly #own: OwnTables;
  readonly #streamed: StreamedTables;

  constructor(options: IcebergCatalogOptions) {
    const document = new VersionedDocument<CatalogDocument>(options.store, CATALOG_KEY, undefined, options.random);
    this.#own = new OwnTables(document, options.warehouse, options.clock, options.random);
    this.#streamed = new StreamedTables(options);
  }

  /** Those one level below; of null, those at the top. TW_NAMESPACE_NOT_FOUND. */
  async namespaces(parent: Namespace | null): Promise<string[][]> {
    if (parent !== null && streamNamespace(parent) !== null) return [];
    const document = await this.#own.read();
    if (parent !== null) requireNamespace(document, parent);
    return [...(parent === null ? STREAM_NAMESPACES.map(name => [name]) : []), ...childrenOf(document, parent)];
  }

  /** Its properties. TW_NAMESPACE_NOT_FOUND. */
  async namespace(namespace: Namespace): Promise<Record<string, string>> {
    const streams = streamNamespace(namespace);
    return streams !== null ? this.#streamed.about(streams) : requireNamespace(await this.#own.read(), namespace);
  }

  /** TW_NAMESPACE_EXISTS. */
  async createNamespace(namespace: Namespace, properties: Record<string, string>): Promise<void> {
    if (streamNamespace(namespace) !== null) throw namespaceExists(namespace);
    if (STREAM_NAMESPACES.includes(namespace[0])) throw ofStreams(`The namespace "${namespace.join('.')}" cannot be created.`);
    await this.#own.change(document => withNamespace(document, namespace, properties));
  }

  /** TW_NAMESPACE_NOT_FOUND, TW_NAMESPACE_NOT_EMPTY, TW_TABLE_OF_STREAM. */
  async dropNamespace(namespace: Namespace): Promise<void> {
    refuseStreams(namespace, 'cannot be dropped.');
    await this.#own.change(document => withoutNamespace(document, namespace));
  }

  async changeProperties(
    namespace: Namespace,
    { removals, updates }: PropertyChange,
  ): Promise<{ updated: string[]; removed: string[]; missing: string[] }> {
    refuseStreams(namespace, 'has properties that cannot be changed.');
    const both = removals.filter(name => Object.hasOwn(updates, name));
    if (both.length > 0) {
      throw new TailwaterError('TW_CONTRADICTION', { detail: `Both removed and updated: ${both.join(', ')}.` });
    }
    let before: Record<string, string> = {};
    await this.#own.change(document => {
      before = requireNamespace(document, namespace);
      const kept = Object.entries(before).filter(([name]) => !removals.includes(name));
      return withProperties(document, namespace, { ...Object.fromEntries(kept), ...updates });
    });
    const has = (name: string): boolean => Object.hasOwn(before, name);
    return { updated: Object.keys(updates), removed: removals.filter(has), missing: removals.filter(name => !has(name)) };
  }

  async tables(namespace: Namespace): Promise<TableName[]> {
    const streams = streamNamespace(namespace);
    if (streams !== null) return (await this.#streamed.list(streams)).map(name => ({ namespace, name }));
    const document = await this.#own.read();
    requireNamespace(document, namespace);
    return tablesIn(document, namespace);
  }

  /** TW_TABLE_NOT_FOUND. */
  async load(table: TableName): Promise<LoadedTable> {
    const streams = streamNamespace(table.namespace);
    return streams === null ? this.#own.load(table) : this.#streamed.load(streams, table.name);
  }

  /** Which metadata file the table is at: tells whether it has changed. */
  async locationOf(table: TableName): Promise<string> {
    const streams = streamNamespace(table.namespace);
    return streams === null ? this.#own.locationOf(table) : this.#streamed.locationOf(streams, table.name);
  }

  /** TW_NAMESPACE_NOT_FOUND, TW_TABLE_EXISTS, TW_TABLE_OF_STREAM, TW_BAD_REQUEST. */
  async create(table: TableName, body: JsonMap, stage: boolean): Promise<LoadedTable> {
    const streams = streamNamespace(table.namespace);
    if (streams === null) return this.#own.create(table, body, stage);
    if ((await this.#streamed.list(streams)).includes(table.name)) throw tableExists(table);
    throw ofStreams(`"${shownName(table)}" cannot be created here.`);
  }

  /** All or none. Tables of streams take only rewrites of their files, one by one. TW_COMMIT_CONFLICT, TW_TABLE_NOT_FOUND, TW_BAD_REQUEST, TW_OUTCOME_UNKNOWN. */
  async commit(changes: readonly TableChange[]): Promise<LoadedTable[]> {
    for (const { table, commit } of changes) {
      const streams = streamNamespace(table.namespace);
      if (streams === null) continue;
      if (assertsCreation(commit.requirements)) throw ofStreams(`"${shownName(table)}" cannot be created here.`);
      if (changes.length === 1) return [await this.#streamed.replace(streams, table.name, commit)];
      await this.#streamed.locationOf(streams, table.name);
      throw conflict(
        `"${shownName(table)}" is the table of a stream, which Tailwater alone writes: it cannot be part of a transaction with others.`,
      );
    }
    return this.#own.commit(changes);
  }

  async rename(from: TableName, to: TableName): Promise<void> {
    refuseStreams(from.namespace, 'has tables that cannot be renamed.');
    refuseStreams(to.namespace, 'takes no other tables.');
    await this.#own.change(document => withRenamed(document, from, to));
  }

  async drop(table: TableName, purge: boolean): Promise<void> {
    refuseStreams(table.namespace, 'has tables that cannot be dropped here: delete the stream.');
    await this.#own.drop(table, purge);
  }
}

/** The name of the namespace when it is one of those of streams. */
function streamNamespace(namespace: Namespace): string | null {
  return namespace.length === 1 && STREAM_NAMESPACES.includes(namespace[0]) ? namespace[0] : null;
}

function refuseStreams(namespace: Namespace, what: string): void {
  if (streamNamespace(namespace) !== null) throw ofStreams(`The namespace "${namespace.join('.')}" ${what}`);
}

function ofStreams(detail: string): TailwaterError {
  return new TailwaterError('TW_TABLE_OF_STREAM', { detail });
}
