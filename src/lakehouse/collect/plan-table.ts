import { statisticsState } from '../statistics/stacking.ts';
import type { TableVersions } from '../table-store.ts';
import type { TableState } from '../table-types.ts';
import type { StateFiles } from './state-pins.ts';

/** What has to be kept of a table: that which a kept or pinned state names. */
export interface TableNeeds {
  versions: TableVersions[];
  statistics: ReadonlySet<string>;
  /** The newest state; what was made for later ones is on its way. */
  newest: number;
}

/** `kept` are all states from the floor to the newest; `pinned` what pins, tags or readers in this process name. */
export function tableNeeds(kept: readonly TableState[], pinned: readonly StateFiles[]): TableNeeds {
  const needed = [...pinned, ...kept];
  return {
    versions: needed.map(state => ({ rows: state.rowsVersion, changes: state.changesVersion })),
    statistics: new Set(needed.flatMap(state => state.statistics)),
    newest: kept.reduce((newest, state) => Math.max(newest, state.n), 0),
  };
}

/** No kept state names the object, and none ever will: the state it was made for is another one. */
export function isStatisticsGarbage(key: string, needs: TableNeeds): boolean {
  return !needs.statistics.has(key) && statisticsState(key) <= needs.newest;
}

/**
 * Up to which segment nobody asks for persisted vectors any more: their rows are in the table with them, and no tail is rebuilt from so
 * far back, because a kept state or the log's floor lies above. 0: everything may be asked for.
 */
export function vectorsThroughSegment(oldestKept: TableState, newest: TableState, logFloor: number): number {
  if (newest.nullVectors > 0) return 0;
  return Math.min(newest.logSeq, Math.max(oldestKept.logSeq, logFloor - 1));
}

/**
 * Whether states are given up now. Pruning rewrites parts of a table, so it waits until they have outlived their history by a share of
 * it; then all that did go at once. `oldest` and `second` are the two oldest states kept.
 */
export function expiryDue(second: TableState | null, historyMs: number, slack: number, nowMs: number): boolean {
  return second !== null && second.committedAtMs <= nowMs - historyMs * (1 + slack);
}
