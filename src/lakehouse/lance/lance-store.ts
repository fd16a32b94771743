import { type Connection, connect, type Session, type Table } from '@lancedb/lancedb';
import { TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import { arrowSchema, type DatasetKind } from '../columns/arrow-schema.ts';
import type { Dataset, Datasets } from '../datasets/dataset.ts';
import { NamedReads, pruneError, readError } from '../datasets/read-errors.ts';
import { DatasetStaging } from '../datasets/staging.ts';
import type { TableStaging, TableStore, TableVersion, TableVersions } from '../table-store.ts';
import type { TableSchema } from '../table-types.ts';
import { LanceDataset } from './lance-dataset.ts';
import { folderPlace, type LancePlace } from './lance-place.ts';
import { LanceVersion } from './lance-version.ts';
import { pruneDataset } from './prune.ts';
import { createSession, historyExpired, isMissingVersion, LANCE_DEFAULTS, type LanceSettings } from './session.ts';

/**
 * Tables in LanceDB: `<place>/<incarnation>/rows.lance` and, for upsert streams, `changes.lance`. One session bounds the memory of all
 * caches; open versions are shared between readers and bounded in number.
 */
export class LanceTableStore implements TableStore {
  readonly #place: LancePlace;
  readonly #settings: LanceSettings;
  readonly #session: Session;
  readonly #connections = new Map<string, Promise<Connection>>();
  /** In the order of their last use. */
  readonly #versions = new Map<string, Promise<TableVersion>>();
  readonly #counts = { opened: 0, reused: 0, staged: 0 };
  #closed = false;

  private constructor(place: LancePlace, settings: LanceSettings) {
    this.#place = place;
    this.#settings = settings;
    this.#session = createSession(settings);
  }

  /** `place`: a local folder, created when needed, or what LanceDB reaches by itself. */
  static async open(place: string | LancePlace, options: Partial<LanceSettings> = {}): Promise<LanceTableStore> {
    return new LanceTableStore(typeof place === 'string' ? folderPlace(place) : place, { ...LANCE_DEFAULTS, ...options });
  }

  begin(definition: StreamDefinition, base: TableVersions | null, schema: TableSchema): Promise<TableStaging> {
    this.#counts.staged++;
    return DatasetStaging.begin(this.#datasets(), definition, base, schema, this.#settings);
  }

  open(definition: StreamDefinition, versions: TableVersions, schema: TableSchema): Promise<TableVersion> {
    const key = `${definition.incarnation}/${versions.rows}/${versions.changes ?? '-'}/${schema.id}`;
    const known = this.#versions.get(key);
    if (known !== undefined) {
      this.#counts.reused++;
      this.#versions.delete(key);
      this.#versions.set(key, known);
      return known;
    }
    this.#counts.opened++;
    const opened = this.#openVersion(definition, versions, schema);
    this.#versions.set(key, opened);
    opened.catch(() => this.#versions.delete(key));
    if (this.#versions.size > this.#settings.maxHandles) this.#versions.delete(this.#versions.keys().next().value!);
    return opened;
  }

  async prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    const { incarnation } = definition;
    const changes = keep.map(versions => versions.changes).filter(version => version !== null);
    try {
      await pruneDataset(
        await this.#openTable(incarnation, 'rows'),
        keep.map(versions => versions.rows),
      );
      if (changes.length > 0) await pruneDataset(await this.#openTable(incarnation, 'changes'), changes);
    } catch (error) {
      throw pruneError(definition, error);
    }
  }

  async drop(incarnation: string): Promise<void> {
    this.#connections.delete(incarnation);
    for (const key of [...this.#versions.keys()]) if (key.startsWith(`${incarnation}/`)) this.#versions.delete(key);
    await this.#place.remove(incarnation);
  }

  incarnations(): Promise<string[]> {
    return this.#place.incarnations();
  }

  /** Handles are released when their last reader is done with them. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#versions.clear();
    this.#connections.clear();
  }

  stats(): Record<string, number> {
    return { ...this.#counts, handles: this.#versions.size, cacheBytes: Number(this.#session.sizeBytes()) };
  }

  async #openVersion(definition: StreamDefinition, versions: TableVersions, schema: TableSchema): Promise<TableVersion> {
    const rows = await this.#openAt(definition, 'rows', versions.rows);
    const { changes } = versions;
    const openChanges = changes === null ? null : () => this.#openAt(definition, 'changes', changes);
    return new NamedReads(new LanceVersion(schema, rows, openChanges), definition, versions, datasetName);
  }

  async #openAt(definition: StreamDefinition, kind: DatasetKind, version: number): Promise<Table> {
    try {
      const table = await this.#openTable(definition.incarnation, kind);
      await new LanceDataset(table).checkout(version);
      const found = await table.version();
      if (found === version) return table;
      throw new TailwaterError('TW_DATA_DAMAGED', { detail: `its manifest is that of version ${found}.` });
    } catch (error) {
      throw readError(definition, datasetName(definition, kind, version), error);
    }
  }

  async #openTable(incarnation: string, kind: DatasetKind): Promise<Table> {
    try {
      return await (await this.#connection(incarnation)).openTable(kind);
    } catch (error) {
      throw isMissingVersion(error) ? historyExpired('The dataset', error) : error;
    }
  }

  #connection(incarnation: string): Promise<Connection> {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    const known = this.#connections.get(incarnation);
    if (known !== undefined) return known;
    const { storageOptions } = this.#place;
    const options = { session: this.#session, ...(storageOptions && { storageOptions: { ...storageOptions } }) };
    const opened = connect(this.#place.uri(incarnation), options);
    this.#connections.set(incarnation, opened);
    opened.catch(() => this.#connections.delete(incarnation));
    return opened;
  }

  #datasets(): Datasets {
    return {
      open: async (incarnation, kind) => new LanceDataset(await this.#openTable(incarnation, kind)),
      createEmpty: (incarnation, kind, schema) => this.#createEmpty(incarnation, kind, schema),
    };
  }

  async #createEmpty(incarnation: string, kind: DatasetKind, schema: TableSchema): Promise<Dataset> {
    const connection = await this.#connection(incarnation);
    const columns = arrowSchema(schema, kind);
    const exists = (await connection.tableNames()).includes(kind);
    return new LanceDataset(await connection.createEmptyTable(kind, columns, { mode: exists ? 'overwrite' : 'create' }));
  }
}

function datasetName(definition: StreamDefinition, kind: DatasetKind, version: number): string {
  return `${definition.incarnation}/${kind}.lance, version ${version}`;
}
