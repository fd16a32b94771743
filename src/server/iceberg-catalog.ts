import { IcebergCatalog } from '../lakehouse/index.ts';
import type { Catalog } from '../streams/index.ts';
import type { DataFolder } from './data-folder.ts';
import type { EngineSettings } from './settings.ts';

/** The catalog of the tables of a deployment. */
export function icebergCatalog(parts: {
  settings: EngineSettings;
  catalog: Catalog;
  folder: Pick<DataFolder, 'store' | 'files' | 'tables'>;
}): IcebergCatalog {
  const { settings, catalog, folder } = parts;
  return new IcebergCatalog({
    streams: () => catalog.list(),
    store: folder.store,
    files: folder.files.iceberg,
    tables: folder.tables,
    warehouse: folder.files.warehouse,
    clock: settings.clock,
    random: settings.random,
    logger: settings.logger,
  });
}
