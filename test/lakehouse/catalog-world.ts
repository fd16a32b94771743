import { type Random, seededRandom, TailwaterError } from '../../src/base/index.ts';
import type { JsonMap } from '../../src/lakehouse/iceberg/exact-json.ts';
import { requireAtMost, type TableFiles } from '../../src/lakehouse/iceberg/table-files.ts';
import { IcebergCatalog } from '../../src/lakehouse/iceberg-catalog/iceberg-catalog.ts';
import type { TableName } from '../../src/lakehouse/iceberg-catalog/names.ts';
import type { LoadedTable } from '../../src/lakehouse/iceberg-catalog/own-tables.ts';
import { MemoryObjectStore, type ObjectStore } from '../../src/storage/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

/** Files of tables in memory. */
export class MemoryTableFiles implements TableFiles {
  readonly files = new Map<string, Uint8Array>();

  uri(name: string): string {
    return `file:///warehouse/${name}`;
  }

  enginePath(name: string): string {
    return `/warehouse/${name}`;
  }

  async read(name: string): Promise<Uint8Array | null> {
    return this.files.get(name) ?? null;
  }

  async readForeign(name: string, maxBytes: number): Promise<Uint8Array | null> {
    const content = await this.read(name);
    if (content !== null) requireAtMost(maxBytes, name, content.length);
    return content;
  }

  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    if (this.files.has(name)) return false;
    this.files.set(name, bytes);
    return true;
  }

  async hold(): Promise<() => void> {
    return () => {};
  }

  async adopt(): Promise<void> {}

  async makeFolder(): Promise<void> {}

  async list(folder: string): Promise<string[]> {
    return [...this.files.keys()].filter(name => name.startsWith(`${folder}/`)).map(name => name.slice(folder.length + 1));
  }

  async size(name: string): Promise<number | null> {
    return this.files.get(name)?.length ?? null;
  }

  below(folder: string): Promise<string[]> {
    return this.list(folder);
  }

  async modifiedAtMs(): Promise<number | null> {
    return null;
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) this.files.delete(name);
  }

  async removeFolder(folder: string): Promise<void> {
    for (const name of [...this.files.keys()]) if (name.startsWith(`${folder}/`)) this.files.delete(name);
  }
}

export interface CatalogWorld {
  catalog: IcebergCatalog;
  files: MemoryTableFiles;
  clock: VirtualClock;
}

/** A catalog without streams. Several over one store and the same files are nodes of one deployment. */
export function catalogWorld(
  options: { store?: ObjectStore; files?: MemoryTableFiles; random?: Random; clock?: VirtualClock } = {},
): CatalogWorld {
  const {
    store = new MemoryObjectStore(),
    files = new MemoryTableFiles(),
    random = seededRandom(1),
    clock = new VirtualClock(),
  } = options;
  const catalog = new IcebergCatalog({
    streams: () => [],
    store,
    files: new MemoryTableFiles(),
    tables: {},
    warehouse: files,
    clock,
    random,
  });
  return { catalog, files, clock };
}

export const TABLE: TableName = { namespace: ['lab'], name: 'visits' };

export const SCHEMA: JsonMap = {
  type: 'struct',
  fields: [
    { id: 0, name: 'id', required: true, type: 'long' },
    {
      id: 1,
      name: 'place',
      required: false,
      type: { type: 'struct', fields: [{ id: 2, name: 'city', required: false, type: 'string' }] },
    },
  ],
};

export async function withTable(world: CatalogWorld, table = TABLE): Promise<LoadedTable> {
  if (!(await exists(world.catalog, table.namespace))) await world.catalog.createNamespace(table.namespace, {});
  return world.catalog.create(table, { name: table.name, schema: SCHEMA }, false);
}

async function exists(catalog: IcebergCatalog, namespace: readonly string[]): Promise<boolean> {
  return catalog.namespace(namespace).then(
    () => true,
    () => false,
  );
}

export function commit(
  catalog: IcebergCatalog,
  requirements: JsonMap[],
  updates: JsonMap[],
  table = TABLE,
): Promise<LoadedTable[]> {
  return catalog.commit([{ table, commit: { requirements, updates } }]);
}

/** Adds a snapshot and makes it the current one. */
export function snapshotUpdates(id: number | bigint, sequence: number): JsonMap[] {
  const snapshot = {
    'snapshot-id': id,
    'sequence-number': sequence,
    'timestamp-ms': 1_767_225_600_000 + sequence,
    'manifest-list': `file:///warehouse/list-${id}.avro`,
    summary: { operation: 'append' },
  };
  return [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
  ];
}

export function atSnapshot(id: number | bigint | null): JsonMap {
  return { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': id };
}

/** The code that a promise is rejected with; null when it is not. */
export async function codeOf(promise: Promise<unknown>): Promise<string | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    if (error instanceof TailwaterError) return error.code;
    throw error;
  }
}
