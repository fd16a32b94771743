import { TailwaterError } from '../base/index.ts';
import type { StreamDefinition, TableFormat } from '../streams/index.ts';
import type { IcebergSettings } from './iceberg/iceberg-context.ts';
import { IcebergTableStore } from './iceberg/iceberg-store.ts';
import { LanceTableStore } from './lance/lance-store.ts';
import type {
  FilesReplacement,
  OtherFile,
  StagedReplacement,
  TableStaging,
  TableStore,
  TableVersion,
  TableVersions,
} from './table-store.ts';
import type { TableSchema } from './table-types.ts';

/** The local folder of the tables of each format. */
export type TableFolders = Readonly<Record<TableFormat, string>>;

export interface FormatOptions {
  iceberg?: Partial<IcebergSettings>;
  /** Threads of DuckDB. LanceDB takes its own from the environment. Default 2. */
  threads?: number;
}

/** The tables of all streams, each in the format of its definition. */
export class FormatTableStore implements TableStore {
  readonly #stores: Readonly<Record<TableFormat, TableStore>>;

  constructor(stores: Readonly<Record<TableFormat, TableStore>>) {
    this.#stores = stores;
  }

  static async open(folders: TableFolders, options: FormatOptions = {}): Promise<FormatTableStore> {
    const { iceberg = {}, threads } = options;
    return new FormatTableStore({
      lance: await LanceTableStore.open(folders.lance),
      iceberg: await IcebergTableStore.open(folders.iceberg, {
        settings: iceberg,
        duck: threads === undefined ? {} : { threads },
      }),
    });
  }

  begin(definition: StreamDefinition, base: TableVersions | null, schema: TableSchema): Promise<TableStaging> {
    return this.#of(definition).begin(definition, base, schema);
  }

  open(definition: StreamDefinition, versions: TableVersions, schema: TableSchema): Promise<TableVersion> {
    return this.#of(definition).open(definition, versions, schema);
  }

  prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    return this.#of(definition).prune(definition, keep);
  }

  replaceFiles(
    definition: StreamDefinition,
    base: TableVersions,
    schema: TableSchema,
    replacement: FilesReplacement,
  ): Promise<StagedReplacement> {
    const store = this.#of(definition);
    if (store.replaceFiles !== undefined) return store.replaceFiles(definition, base, schema, replacement);
    throw new TailwaterError('TW_INTERNAL', {
      detail: `Tables of format ${definition.table.format} are written by Tailwater alone.`,
    });
  }

  async otherFiles(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<OtherFile[]> {
    return (await this.#of(definition).otherFiles?.(definition, keep)) ?? [];
  }

  async removeOthers(definition: StreamDefinition, names: readonly string[]): Promise<void> {
    await this.#of(definition).removeOthers?.(definition, names);
  }

  /** A life whose definition is gone may be of either format. */
  async drop(incarnation: string): Promise<void> {
    await this.#stores.lance.drop(incarnation);
    await this.#stores.iceberg.drop(incarnation);
  }

  async incarnations(): Promise<string[]> {
    return [...new Set([...(await this.#stores.lance.incarnations()), ...(await this.#stores.iceberg.incarnations())])];
  }

  async close(): Promise<void> {
    await this.#stores.lance.close();
    await this.#stores.iceberg.close();
  }

  #of({ table }: StreamDefinition): TableStore {
    return this.#stores[table.format];
  }
}
