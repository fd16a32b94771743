import type { TableState, TableStates, TableStatistics, TableStore, TableVersion } from '../lakehouse/index.ts';
import { TableStatistics as Statistics } from '../lakehouse/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import type { StreamDefinition } from '../streams/index.ts';

/** One table state, opened: the exact version it names and the statistics it names. Immutable, shared by requests. */
export interface TableView {
  state: TableState;
  version: TableVersion;
  statistics: TableStatistics;
  /** Commit time of the newest record in the table; null when it is empty. */
  newestIngestedAtMs: number | null;
}

export interface TableAccess {
  store: ObjectStore;
  tables: TableStore;
  states: TableStates;
}

export async function openTableView(
  access: TableAccess,
  definition: StreamDefinition,
  state: TableState,
  previous: TableView | null,
): Promise<TableView> {
  const versions = { rows: state.rowsVersion, changes: state.changesVersion };
  const [version, statistics] = await Promise.all([
    access.tables.open(definition, versions, state.schema),
    Statistics.load(access.store, state.statistics, previous?.statistics),
  ]);
  return { state, version, statistics, newestIngestedAtMs: await newestCommit(version, state) };
}

async function newestCommit(version: TableVersion, state: TableState): Promise<number | null> {
  if (state.rowCount + state.changeCount === 0) return null;
  if (state.newestIngestedAtMs !== undefined) return state.newestIngestedAtMs;
  let newest: number | null = null;
  for (const [partition, offset] of state.watermark.entries()) {
    if (offset < 0) continue;
    const [row] = await version.byOffsets(partition, offset, offset, 1);
    if (row && (newest === null || row.ingestedAtMs > newest)) newest = row.ingestedAtMs;
  }
  return newest;
}
