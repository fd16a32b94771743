import { resolve } from 'node:path';
import { IcebergCatalog, LocalTableFiles } from '../lakehouse/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import type { Catalog } from '../streams/index.ts';
import { pathsOf } from './data-folder.ts';
import type { EngineSettings } from './settings.ts';

/** The catalog of the tables in a data folder. */
export function icebergCatalog(parts: {
  settings: EngineSettings;
  catalog: Catalog;
  folder: { store: ObjectStore };
}): IcebergCatalog {
  const { settings, catalog, folder } = parts;
  const paths = pathsOf(resolve(settings.dataDir));
  return new IcebergCatalog({
    streams: () => catalog.list(),
    store: folder.store,
    files: new LocalTableFiles(paths.iceberg),
    warehouse: new LocalTableFiles(paths.warehouse),
    clock: settings.clock,
    random: settings.random,
  });
}
