import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Random, randomId, systemClock, systemRandom, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import { NamedReads, readError } from '../datasets/read-errors.ts';
import type {
  FilesReplacement,
  OtherFile,
  StagedReplacement,
  TableStaging,
  TableStore,
  TableVersion,
  TableVersions,
} from '../table-store.ts';
import type { TableSchema } from '../table-types.ts';
import { DUCK_DEFAULTS, Duck, type DuckSettings } from './duck.ts';
import { FileChecks } from './file-checks.ts';
import { otherFiles } from './foreign-files.ts';
import { ICEBERG_DEFAULTS, type IcebergContext, type IcebergSettings } from './iceberg-context.ts';
import { IcebergStaging } from './iceberg-staging.ts';
import { IcebergVersion } from './iceberg-version.ts';
import { ParquetWriter } from './parquet-writer.ts';
import { PositionDeletes } from './position-deletes.ts';
import { pruneDataset } from './prune.ts';
import { LocalTableFiles, type TableFiles } from './table-files.ts';
import { TableLoader, tableFolder } from './table-loader.ts';
import { TableReads, viewOf } from './table-reads.ts';

export interface IcebergStoreOptions {
  files?: TableFiles;
  clock?: Clock;
  random?: Random;
  duck?: Partial<DuckSettings>;
  settings?: Partial<IcebergSettings>;
}

/**
 * Tables in Iceberg's format (version 2): `<root>/<incarnation>/rows` and, for upsert streams, `changes`, each with `data` and `metadata`.
 * The version of a dataset is the number of its metadata file.
 */
export class IcebergTableStore implements TableStore {
  readonly #context: IcebergContext;
  /** In the order of their last use. */
  readonly #versions = new Map<string, Promise<TableVersion>>();
  #closed = false;

  private constructor(context: IcebergContext) {
    this.#context = context;
  }

  /** `root` is a local folder, created when needed. */
  static async open(root: string, options: IcebergStoreOptions = {}): Promise<IcebergTableStore> {
    const files = options.files ?? new LocalTableFiles(root);
    const spillFolder = join(tmpdir(), `tailwater-spill-${randomId(systemRandom)}`);
    const duck = new Duck({ ...DUCK_DEFAULTS, spillFolder, ...options.duck });
    return new IcebergTableStore({
      files,
      duck,
      writer: new ParquetWriter(duck, files),
      loader: new TableLoader(files),
      deletes: new PositionDeletes(duck, files),
      checks: new FileChecks(files),
      clock: options.clock ?? systemClock,
      random: options.random ?? systemRandom,
      settings: { ...ICEBERG_DEFAULTS, ...options.settings },
    });
  }

  async begin(definition: StreamDefinition, base: TableVersions | null, schema: TableSchema): Promise<TableStaging> {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    return IcebergStaging.begin(this.#context, definition, base, schema);
  }

  async replaceFiles(
    definition: StreamDefinition,
    base: TableVersions,
    schema: TableSchema,
    replacement: FilesReplacement,
  ): Promise<StagedReplacement> {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    const { files } = this.#context;
    const staging = await IcebergStaging.begin(this.#context, definition, base, schema);
    const { removed, added, copies, originals } = await staging.replace(replacement);
    return {
      ...{ staging, removed, added },
      committed: () => files.remove([...originals, ...originals.map(hadoopChecksum)]),
      discard: () => files.remove(copies),
    };
  }

  open(definition: StreamDefinition, versions: TableVersions, schema: TableSchema): Promise<TableVersion> {
    const key = `${definition.incarnation}/${versions.rows}/${versions.changes ?? '-'}/${schema.id}`;
    const known = this.#versions.get(key);
    this.#versions.delete(key);
    const opened = known ?? this.#openVersion(definition, versions, schema);
    this.#versions.set(key, opened);
    opened.catch(() => this.#versions.delete(key));
    if (this.#versions.size > this.#context.settings.maxHandles) this.#versions.delete(this.#versions.keys().next().value!);
    return opened;
  }

  async prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    const changes = keep.map(versions => versions.changes).filter(version => version !== null);
    await pruneDataset(
      this.#context,
      definition.incarnation,
      'rows',
      keep.map(versions => versions.rows),
    );
    await pruneDataset(this.#context, definition.incarnation, 'changes', changes);
  }

  otherFiles({ incarnation }: StreamDefinition, keep: readonly TableVersions[]): Promise<OtherFile[]> {
    return otherFiles(this.#context, incarnation, keep);
  }

  removeOthers(_definition: StreamDefinition, names: readonly string[]): Promise<void> {
    return this.#context.files.remove(names);
  }

  async drop(incarnation: string): Promise<void> {
    for (const key of [...this.#versions.keys()]) if (key.startsWith(`${incarnation}/`)) this.#versions.delete(key);
    await this.#context.files.removeFolder(incarnation);
  }

  incarnations(): Promise<string[]> {
    return this.#context.files.list('');
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#versions.clear();
    await this.#context.duck.close();
  }

  async #openVersion(definition: StreamDefinition, versions: TableVersions, schema: TableSchema): Promise<TableVersion> {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    const rows = await this.#reads(definition, 'rows', versions.rows);
    const { changes } = versions;
    const openChanges = changes === null ? null : () => this.#reads(definition, 'changes', changes);
    const version = new IcebergVersion(schema, rows, openChanges);
    return new NamedReads(version, definition, versions, datasetName);
  }

  async #reads(definition: StreamDefinition, kind: DatasetKind, version: number): Promise<TableReads> {
    try {
      const table = await this.#context.loader.load(tableFolder(definition.incarnation, kind), version);
      await this.#context.checks.checkOnce(table, this.#context.settings.checkedBytes);
      return new TableReads(this.#context.duck, await viewOf(this.#context, table));
    } catch (error) {
      throw readError(definition, datasetName(definition, kind, version), error);
    }
  }
}

/** Hadoop puts one beside each file that it writes to a folder. */
function hadoopChecksum(name: string): string {
  const at = name.lastIndexOf('/') + 1;
  return `${name.slice(0, at)}.${name.slice(at)}.crc`;
}

function datasetName(definition: StreamDefinition, kind: DatasetKind, version: number): string {
  return `${definition.incarnation}/${kind}, version ${version}`;
}
