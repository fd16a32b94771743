import { resolve } from 'node:path';
import type { TableState } from '../lakehouse/index.ts';
import type { TableDatasets } from './api.ts';

/** Where other Lance clients open the content of a table state, without a copy. */
export function tableDatasets(lanceFolder: string, state: TableState): TableDatasets {
  const path = (kind: string): string => resolve(lanceFolder, state.incarnation, `${kind}.lance`);
  return {
    format: state.format,
    rows: { path: path('rows'), version: state.rowsVersion },
    changes: state.changesVersion === null ? null : { path: path('changes'), version: state.changesVersion },
  };
}
