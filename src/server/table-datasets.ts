import { resolve } from 'node:path';
import type { TableFolders, TableState } from '../lakehouse/index.ts';
import type { TableDatasets } from './api.ts';

/** Where other clients of its format open the content of a table state, without a copy. */
export function tableDatasets(folders: TableFolders, state: TableState): TableDatasets {
  const { format, incarnation, rowsVersion, changesVersion } = state;
  const path = (kind: string, version: number): string =>
    format === 'lance'
      ? resolve(folders.lance, incarnation, `${kind}.lance`)
      : resolve(folders.iceberg, incarnation, kind, 'metadata', `v${version}.metadata.json`);
  return {
    format,
    rows: { path: path('rows', rowsVersion), version: rowsVersion },
    changes: changesVersion === null ? null : { path: path('changes', changesVersion), version: changesVersion },
  };
}
