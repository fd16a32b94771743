import { byteString } from '../base/index.ts';
import type { StreamRecord } from '../streams/index.ts';
import type { Pinned } from './pinned.ts';

const KEYS_PER_READ = 256;

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

/** As `lookupRow` for many keys, in their order. */
export async function lookupRows(pinned: Pinned, keys: readonly Uint8Array[]): Promise<(FoundRow | null)[]> {
  const { tail, table } = pinned;
  const fresh = keys.map(key => tail.lookup(key));
  const asked = keys.filter((key, index) => fresh[index] === null && table?.statistics.mayHaveKey(key));
  const stored = new Map<string, StreamRecord>();
  for (let at = 0; at < asked.length; at += KEYS_PER_READ) {
    for (const row of await table!.version.byKeys(asked.slice(at, at + KEYS_PER_READ))) stored.set(byteString(row.key!), row);
  }
  return keys.map((key, index): FoundRow | null => {
    const found = fresh[index];
    if (found !== null) return found.deleted ? null : { record: tail.record(found.ordinal), tier: 'tail' };
    const record = stored.get(byteString(key));
    return record === undefined ? null : { record, tier: 'table' };
  });
}
