import { type Clock, isTailwaterError, type Random, randomId, randomUuid, TailwaterError } from '../../base/index.ts';
import type { VersionedDocument } from '../../storage/index.ts';
import { exactJsonBytes, type JsonMap, parseExactJson } from '../iceberg/exact-json.ts';
import type { TableFiles } from '../iceberg/table-files.ts';
import {
  type CatalogDocument,
  EMPTY_CATALOG,
  entryOf,
  requireNamespace,
  requireTable,
  type TableEntry,
  type TableStep,
  tableExists,
  withoutTable,
  withSteps,
} from './catalog-document.ts';
import { checksumOf, readEntryMetadata } from './entry-metadata.ts';
import { folderPart, namespaceKey, shownName, type TableName, tableKey } from './names.ts';
import { planCommit, planCreation, type TableCommit, withPrevious } from './plan-commit.ts';
import { refuse } from './reading.ts';
import { conflict } from './requirements.ts';
import { type Metadata, metadataJson, metadataOf } from './types.ts';

/** Losing this often in a row to commits whose outcome the requirements allow. */
const MAX_ATTEMPTS = 16;

export interface LoadedTable {
  metadata: Metadata;
  /** The address of the metadata file; null while a table is only staged. */
  location: string | null;
}

export interface TableChange {
  table: TableName;
  commit: TableCommit;
}

interface PlannedStep extends TableStep {
  metadata: Metadata;
  /** Metadata files that are listed no more. */
  unlisted: string[];
}

/**
 * Tables that other engines write. Their files lie in a folder each, below the warehouse; a commit writes new metadata under a name of its
 * own, and takes effect when the catalog's document names them in the place of those that it was planned on.
 */
export class OwnTables {
  readonly #document: VersionedDocument<CatalogDocument>;
  readonly #files: TableFiles;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(document: VersionedDocument<CatalogDocument>, files: TableFiles, clock: Clock, random: Random) {
    this.#document = document;
    this.#files = files;
    this.#clock = clock;
    this.#random = random;
  }

  async read(): Promise<CatalogDocument> {
    return (await this.#document.read())?.value ?? EMPTY_CATALOG;
  }

  /** TW_TABLE_NOT_FOUND, also where there is no such namespace: engines try names that may mean a table or a part of one. */
  async load(table: TableName): Promise<LoadedTable> {
    const entry = requireTable(await this.read(), table);
    return { metadata: await this.#metadata(entry), location: this.#files.uri(entry.metadata) };
  }

  /** The address of the newest metadata, without reading them. */
  async locationOf(table: TableName): Promise<string> {
    return this.#files.uri(requireTable(await this.read(), table).metadata);
  }

  /** `stage`: nothing is kept; the client commits what it makes of the answer. */
  async create(table: TableName, body: JsonMap, stage: boolean): Promise<LoadedTable> {
    const document = await this.read();
    requireNamespace(document, table.namespace);
    if (entryOf(document, table) !== null) throw tableExists(table);
    const folder = `${folderPart(namespaceKey(table.namespace))}/${folderPart(table.name)}-${randomId(this.#random)}`;
    const location = this.#files.uri(folder);
    if (typeof body.location === 'string' && body.location !== location) {
      refuse('The catalog chooses the location of a table: leave "location" out.');
    }
    const metadata = planCreation(body, { uuid: randomUuid(this.#random), location }, this.#nowMs());
    // Engines that write to a local folder expect it to be there.
    await Promise.all([this.#files.makeFolder(`${folder}/metadata`), this.#files.makeFolder(`${folder}/data`)]);
    if (stage) return { metadata, location: null };
    const step = await this.#step(table, null, metadata);
    try {
      if (!(await this.#swap([step]))) throw tableExists(table);
    } catch (error) {
      await this.#discard([step], error);
      throw error;
    }
    return { metadata, location: this.#files.uri(step.next.metadata) };
  }

  /**
   * All changes take effect at once, or none. TW_COMMIT_CONFLICT when a requirement does not hold at that moment; TW_OUTCOME_UNKNOWN when it cannot be
   * learned whether they did: the files are kept then.
   */
  async commit(changes: readonly TableChange[]): Promise<LoadedTable[]> {
    const tables = new Set(changes.map(each => tableKey(each.table)));
    if (tables.size < changes.length) refuse('A transaction names a table twice.');
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const steps = await this.#plan(changes);
      if (await this.#attempt(steps)) {
        await this.#forget(steps);
        return steps.map(({ metadata, next }) => ({ metadata, location: this.#files.uri(next.metadata) }));
      }
    }
    throw conflict(`Other commits came first ${MAX_ATTEMPTS} times in a row.`);
  }

  /** The table's files go only when asked: other names may still lead to them. */
  async drop(table: TableName, purge: boolean): Promise<void> {
    let dropped: TableEntry | null = null;
    await this.change(document => {
      dropped = requireTable(document, table);
      return withoutTable(document, table);
    });
    if (purge && dropped !== null) await this.#files.removeFolder((dropped as TableEntry).folder);
  }

  /** Any other change of the document, which must be pure. */
  async change(change: (document: CatalogDocument) => CatalogDocument): Promise<void> {
    await this.#document.update(document => change(document ?? EMPTY_CATALOG));
  }

  async #plan(changes: readonly TableChange[]): Promise<PlannedStep[]> {
    const document = await this.read();
    const steps: PlannedStep[] = [];
    // Everything is planned before anything is written: a change that cannot be leaves nothing behind.
    const planned = [];
    for (const { table, commit } of changes) {
      requireNamespace(document, table.namespace);
      const entry = entryOf(document, table);
      if (entry === null && !commit.requirements.some(each => each.type === 'assert-create')) requireTable(document, table);
      const base = entry === null ? null : await this.#metadata(entry);
      planned.push({ table, entry, base, metadata: planCommit(base, commit, this.#nowMs()) });
    }
    for (const { table, entry, base, metadata } of planned) {
      const previous = entry === null ? null : { uri: this.#files.uri(entry.metadata), timestampMs: base!['last-updated-ms'] };
      const { listed, unlisted } = withPrevious(metadata, previous);
      steps.push({ ...(await this.#step(table, entry, listed)), unlisted });
    }
    return steps;
  }

  /** Writes the metadata; nothing names them yet. */
  async #step(table: TableName, entry: TableEntry | null, metadata: Metadata): Promise<PlannedStep> {
    const folder = this.#folderOf(entry, metadata.location, table);
    const version = (entry?.version ?? 0) + 1;
    const name = `${folder}/metadata/${String(version - 1).padStart(5, '0')}-${randomUuid(this.#random)}.metadata.json`;
    await this.#files.makeFolder(`${folder}/metadata`);
    const bytes = exactJsonBytes(metadataJson(metadata));
    if (!(await this.#files.create(name, bytes))) {
      throw new TailwaterError('TW_INTERNAL', { detail: `The name ${name} was drawn twice.` });
    }
    const next = { uuid: metadata['table-uuid'], folder, metadata: name, crc32c: checksumOf(bytes), version };
    return { table, base: entry?.metadata ?? null, next, metadata, unlisted: [] };
  }

  /** A table lies in its own folder, or below it; a new one in a folder that the catalog gave it when it was staged. */
  #folderOf(entry: TableEntry | null, location: string, table: TableName): string {
    const root = this.#files.uri('').replace(/\/*$/, '/');
    const own = entry === null ? null : this.#files.uri(entry.folder);
    if (own !== null) return isWithin(location, own) ? entry!.folder : this.#misplaced(table);
    const folder = location.startsWith(root) ? location.slice(root.length) : this.#misplaced(table);
    return /^[A-Za-z0-9_-]+\/[A-Za-z0-9_-]+$/.test(folder) ? folder : this.#misplaced(table);
  }

  #misplaced(table: TableName): never {
    return refuse(`The location of the table "${shownName(table)}" must be in the folder that the catalog gave it.`);
  }

  async #attempt(steps: readonly PlannedStep[]): Promise<boolean> {
    try {
      const applied = await this.#swap(steps);
      if (!applied) await this.#discard(steps, null);
      return applied;
    } catch (error) {
      await this.#discard(steps, error);
      throw error;
    }
  }

  /** The commit point. */
  async #swap(steps: readonly TableStep[]): Promise<boolean> {
    const now = await this.#document.update(document => withSteps(document ?? EMPTY_CATALOG, steps));
    return steps.every(({ table, next }) => entryOf(now ?? EMPTY_CATALOG, table)?.metadata === next.metadata);
  }

  /** Where the table asks for it, its metadata files go when they are listed no more. */
  async #forget(steps: readonly PlannedStep[]): Promise<void> {
    for (const { metadata, next, unlisted } of steps) {
      if (metadata.properties['write.metadata.delete-after-commit.enabled'] !== 'true') continue;
      const own = `${this.#files.uri(next.folder)}/metadata/`;
      const names = unlisted.filter(uri => uri.startsWith(own)).map(uri => uri.slice(own.length));
      const plain = names.filter(name => /^[\w-]+\.metadata\.json$/.test(name));
      await this.#files.remove(plain.map(name => `${next.folder}/metadata/${name}`)).catch(() => {});
    }
  }

  /** Metadata that certainly nothing names. */
  async #discard(steps: readonly TableStep[], error: unknown): Promise<void> {
    if (error !== null && !isTailwaterError(error)) return;
    if (isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) return;
    for (const { next } of steps) await this.#files.remove([next.metadata]).catch(() => {});
  }

  async #metadata(entry: TableEntry): Promise<Metadata> {
    return metadataOf(parseExactJson(await readEntryMetadata(this.#files, entry)) as JsonMap);
  }

  #nowMs(): number {
    return Math.floor(this.#clock.nowMs());
  }
}

function isWithin(location: string, folder: string): boolean {
  return location === folder || (location.startsWith(`${folder}/`) && !/(^|\/)\.{1,2}(\/|$)/.test(location.slice(folder.length)));
}
