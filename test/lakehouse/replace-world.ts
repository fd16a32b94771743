import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type JsonValue, systemClock, systemRandom } from '../../src/base/index.ts';
import { LocalTableFiles, type TableFiles } from '../../src/lakehouse/iceberg/table-files.ts';
import { IcebergCatalog } from '../../src/lakehouse/iceberg-catalog/iceberg-catalog.ts';
import { IcebergTableStore, ObjectTableFiles } from '../../src/lakehouse/index.ts';
import { nodeFileSystem, ObjectCache, type ObjectStore, withCache } from '../../src/storage/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { World } from './compact-oracle.ts';
import { type PutFate, withPutFates } from './compact-support.ts';
import { definitionOf } from './compact-world.ts';
import { type EnginePlace, ForeignEngine } from './foreign-engine.ts';

const TABLE: StreamDefinition['table'] = { format: 'iceberg', partitionBy: [], sortBy: [] };

export const APPENDED = definitionOf({ kind: 'append', table: TABLE });
export const UPSERTED = definitionOf({ kind: 'upsert', key: ['id'], table: TABLE });

/** A streamed table in a folder, with the catalog over it and another engine that works on it. */
export interface ReplaceWorld extends AsyncDisposable {
  world: World;
  catalog: IcebergCatalog;
  engine: ForeignEngine;
  /** On the superseded versions. */
  changesEngine: ForeignEngine;
  /** The names in the folder of data files. */
  dataFiles(part?: 'rows' | 'changes'): Promise<string[]>;
  /** A catalog to whose commits of table states things happen. */
  catalogWith(fateOf: (key: string) => PutFate): IcebergCatalog;
  /** Writes records of these values (null: a deletion) for these keys, and compacts. */
  compacted(records: Readonly<Record<string, JsonValue>>): Promise<void>;
}

/** Where the tables of such a world are. */
interface Place {
  files: TableFiles;
  warehouse: TableFiles;
  engine?: EnginePlace;
  close(): Promise<void>;
}

/** An object store that tables are in, and how an engine puts its objects there. */
export interface Objects {
  store: ObjectStore;
  /** Of the store, for other engines. */
  address: string;
  putForeign(key: string, bytes: Uint8Array): Promise<void>;
}

/** In a folder, or in an object store. */
export async function replaceWorld(definition: StreamDefinition, objects?: Objects): Promise<ReplaceWorld> {
  const place = objects === undefined ? await inFolder() : await inObjects(objects);
  const { files, warehouse } = place;
  const tables = await IcebergTableStore.open('', { files });
  const world = new World(definition, 1, tables, systemClock);
  const catalogOver = (store: World['store']): IcebergCatalog =>
    new IcebergCatalog({
      ...{ streams: () => [definition], store, files, warehouse, tables, clock: systemClock, random: world.random },
    });
  const catalog = catalogOver(world.store);
  const { name, incarnation } = definition;
  return {
    ...{ world, catalog },
    engine: await ForeignEngine.open(catalog, { namespace: ['tailwater'], name }, place.engine),
    changesEngine: await ForeignEngine.open(catalog, { namespace: ['tailwater_changes'], name }, place.engine),
    dataFiles: async (part = 'rows') => (await files.list(`${incarnation}/${part}/data`)).sort(),
    catalogWith: fateOf => catalogOver(withPutFates(world.store, fateOf)),
    compacted: async records => {
      const partitionOf = (key: string): number => key.charCodeAt(0) % 2;
      world.log.append(Object.entries(records).map(([key, value]) => ({ partition: partitionOf(key), key, value })));
      await world.compact();
    },
    async [Symbol.asyncDispose]() {
      await tables.close();
      await place.close();
    },
  };
}

async function inFolder(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-replace-'));
  return {
    files: new LocalTableFiles(folder),
    warehouse: new LocalTableFiles(join(folder, 'warehouse')),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** As a node composes it: over a cache for which every file of a table is one that never changes. */
async function inObjects({ store: base, address, putForeign }: Objects): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-replace-'));
  const bounds = { maxDiskBytes: 1e9, maxMemoryBytes: 1e9 };
  const cache = await ObjectCache.open({
    ...{ fs: nodeFileSystem, random: systemRandom, folder: join(folder, 'cache'), ...bounds, owner: 'one' },
    isGone: () => false,
  });
  const store = withCache(base, cache, () => true);
  const filesAt = (prefix: string): Promise<ObjectTableFiles> =>
    ObjectTableFiles.open({ store, prefix, address, cache, spoolFolder: join(folder, 'spool') });
  const root = join(folder, 'engine');
  const keyOf = (path: string): string => path.slice(root.length + 1);
  const files = await filesAt('data');
  return {
    files,
    warehouse: await filesAt('warehouse'),
    engine: {
      ...{ address, root },
      fetch: async paths => {
        for (const path of paths) {
          await mkdir(dirname(path), { recursive: true });
          const { etag } = (await base.head(keyOf(path)))!;
          await writeFile(path, (await base.get(keyOf(path), { foreign: { etag } }))!.bytes);
        }
      },
      publish: async path => putForeign(keyOf(path), await readFile(path)),
    },
    close: async () => {
      await cache.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
