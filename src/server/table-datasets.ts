import type { TableFolders, TableState } from '../lakehouse/index.ts';
import type { TableDatasets } from './api.ts';

/** Where other clients of its format open the content of a table state, without a copy; `places` are absolute folders or addresses. */
export function tableDatasets(places: TableFolders, state: TableState): TableDatasets {
  const { format, incarnation, rowsVersion, changesVersion } = state;
  const path = (kind: string, version: number): string =>
    format === 'lance'
      ? `${places.lance}/${incarnation}/${kind}.lance`
      : `${places.iceberg}/${incarnation}/${kind}/metadata/v${version}.metadata.json`;
  return {
    format,
    rows: { path: path('rows', rowsVersion), version: rowsVersion },
    changes: changesVersion === null ? null : { path: path('changes', changesVersion), version: changesVersion },
  };
}
