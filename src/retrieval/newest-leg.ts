import { type Clock, Pace } from '../base/index.ts';
import type { TableRow } from '../lakehouse/index.ts';
import type { Pinned } from '../snapshot/index.ts';
import { type Equality, recordSeq, requiredEquality } from '../streams/index.ts';
import type { SearchPlan } from './plan.ts';
import { isWinner, sqlOf } from './table-legs.ts';

const FIRST_WINDOW_SEGMENTS = 64;
const WINDOW_GROWTH = 16;

/** Up to this many rows in memory are read one by one for a filter; the table store reads more of them faster, and beside this thread. */
const MAX_READ_ROWS = 20_000;
/** Longest time of uninterrupted computing. */
const SLICE_MS = 5;

/** The newest rows of the table that match: windows of log order, newest first, each much larger than the one before. */
export async function newestTableRows(pinned: Pinned, plan: SearchPlan, wanted: number, clock: Clock): Promise<TableRow[]> {
  const { resident } = pinned;
  const equal = plan.filter === null ? null : requiredEquality(plan.filter);
  if (resident !== null && (plan.filter === null || equal !== null || resident.rowCount <= MAX_READ_ROWS)) {
    if (equal !== null) await resident.indexBy(equal.path, new Pace(clock, SLICE_MS));
    return resident.newest(wanted, row => isWinner(pinned, plan, row), equal);
  }
  const found: TableRow[] = [];
  let upper = pinned.table!.state.logSeq + 1;
  for (
    let segments = liesTogether(pinned, equal) ? upper : FIRST_WINDOW_SEGMENTS;
    upper > 0 && found.length < wanted;
    segments *= WINDOW_GROWTH
  ) {
    const lower = Math.max(0, upper - segments);
    found.push(...(await newestOfWindow(pinned, plan, lower, upper, wanted - found.length)));
    upper = lower;
  }
  return found;
}

/** Whether all rows that can match lie side by side in the files: then every window would read the same ones. */
function liesTogether({ definition }: Pinned, equal: Equality | null): boolean {
  return equal !== null && definition.table.format === 'iceberg' && definition.table.sortBy[0] === equal.path;
}

async function newestOfWindow(
  pinned: Pinned,
  plan: SearchPlan,
  lower: number,
  upper: number,
  wanted: number,
): Promise<TableRow[]> {
  const table = pinned.table!;
  const window = `_seq >= ${recordSeq(lower, 0)} AND _seq < ${recordSeq(upper, 0)}`;
  const filter = sqlOf(table, plan);
  let newest: TableRow[] = [];
  for await (const batch of table.version.scan({ where: filter === null ? window : `(${filter}) AND ${window}` })) {
    newest.push(...batch.filter(row => isWinner(pinned, plan, row)));
    newest = newest.sort((a, b) => b.seq - a.seq).slice(0, wanted);
  }
  return newest;
}
