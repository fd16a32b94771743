import type { StreamRecord } from '../streams/index.ts';
import type { Pinned } from './pinned.ts';

export interface FoundRow {
  record: StreamRecord;
  tier: 'tail' | 'table';
}

/** The row of a key at the pinned instant: the tail's newest version decides, a deletion included; else the table's (R4). */
export async function lookupRow(pinned: Pinned, key: Uint8Array): Promise<FoundRow | null> {
  const fresh = pinned.tail.lookup(key);
  if (fresh !== null) return fresh.deleted ? null : { record: pinned.tail.record(fresh.ordinal), tier: 'tail' };
  if (pinned.table === null || !pinned.table.statistics.mayHaveKey(key)) return null;
  const [row] = await pinned.table.version.byKeys([key]);
  return row === undefined ? null : { record: row, tier: 'table' };
}
