import { IcebergCatalog } from '../lakehouse/index.ts';
import type { LiveStreams } from '../snapshot/index.ts';
import type { Catalog } from '../streams/index.ts';
import type { DataFolder } from './data-folder.ts';
import type { EngineSettings } from './settings.ts';

/** The catalog of the tables of a deployment. `tellOthers`: that a table state of this stream life was committed. */
export function icebergCatalog(
  parts: {
    settings: EngineSettings;
    catalog: Catalog;
    streams: LiveStreams;
    folder: Pick<DataFolder, 'store' | 'files' | 'tables'>;
  },
  tellOthers: (incarnation: string) => void,
): IcebergCatalog {
  const { settings, catalog, folder, streams } = parts;
  return new IcebergCatalog({
    streams: () => catalog.list(),
    store: folder.store,
    files: folder.files.iceberg,
    tables: folder.tables,
    warehouse: folder.files.warehouse,
    clock: settings.clock,
    random: settings.random,
    logger: settings.logger,
    onCommitted: async incarnation => {
      tellOthers(incarnation);
      await streams.get(incarnation)?.advance({ patient: true });
    },
  });
}
