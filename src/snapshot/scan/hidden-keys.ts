import { byteString, type Clock, Pace } from '../../base/index.ts';
import type { Pinned } from '../pinned.ts';
import type { TableView } from '../table-view.ts';
import type { ScanPlan } from './scan-types.ts';

const SLICE_MS = 5;

/** Keys the tail has written again; null when none of them can be in the table. */
export async function hiddenKeys(pinned: Pinned, view: TableView, plan: ScanPlan, clock: Clock): Promise<Set<string> | null> {
  if (!plan.tail || pinned.definition.kind !== 'upsert') return null;
  const keys = new Set<string>();
  const pace = new Pace(clock, SLICE_MS);
  for (const { key } of pinned.tail.shadowingKeys()) {
    if (view.statistics.mayHaveKey(key)) keys.add(byteString(key));
    if (pace.due) await pace.rest();
  }
  return keys.size === 0 ? null : keys;
}
