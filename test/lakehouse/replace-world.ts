import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonValue, systemClock } from '../../src/base/index.ts';
import { LocalTableFiles } from '../../src/lakehouse/iceberg/table-files.ts';
import { IcebergCatalog } from '../../src/lakehouse/iceberg-catalog/iceberg-catalog.ts';
import { IcebergTableStore } from '../../src/lakehouse/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { World } from './compact-oracle.ts';
import { type PutFate, withPutFates } from './compact-support.ts';
import { definitionOf } from './compact-world.ts';
import { ForeignEngine } from './foreign-engine.ts';

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

export async function replaceWorld(definition: StreamDefinition): Promise<ReplaceWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-replace-'));
  const tables = await IcebergTableStore.open(folder);
  const world = new World(definition, 1, tables, systemClock);
  const files = new LocalTableFiles(folder);
  const catalogOver = (store: World['store']): IcebergCatalog =>
    new IcebergCatalog({
      ...{ streams: () => [definition], store, files, tables, clock: systemClock, random: world.random },
      warehouse: new LocalTableFiles(join(folder, 'warehouse')),
    });
  const catalog = catalogOver(world.store);
  const { name, incarnation } = definition;
  return {
    ...{ world, catalog },
    engine: await ForeignEngine.open(catalog, { namespace: ['tailwater'], name }),
    changesEngine: await ForeignEngine.open(catalog, { namespace: ['tailwater_changes'], name }),
    dataFiles: async (part = 'rows') => (await readdir(join(folder, incarnation, part, 'data'))).sort(),
    catalogWith: fateOf => catalogOver(withPutFates(world.store, fateOf)),
    compacted: async records => {
      const partitionOf = (key: string): number => key.charCodeAt(0) % 2;
      world.log.append(Object.entries(records).map(([key, value]) => ({ partition: partitionOf(key), key, value })));
      await world.compact();
    },
    async [Symbol.asyncDispose]() {
      await tables.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
