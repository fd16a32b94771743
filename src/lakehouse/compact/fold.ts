import { byteString } from '../../base/index.ts';
import type { StreamKind, StreamRecord } from '../../streams/index.ts';
import type { ChangedRow } from '../table-store.ts';

/** What happens to the table's row of a key that a step mentions: it leaves at the key's first record. */
export interface KeyLookup {
  key: Uint8Array;
  belowSeq: number;
  supersededAtMs: number;
}

/** A step folded to one entry per key (C6). Every record is in exactly one of `rows` and `changes`; both are in log order. */
export interface FoldedStep {
  rows: StreamRecord[];
  changes: ChangedRow[];
  /** Every distinct key of the step; none for append streams. */
  keys: KeyLookup[];
  deleted: number;
}

/**
 * Append streams: every record is a row. Upsert streams: the newest record of a key is its row unless it is a tombstone; older ones
 * are changes, superseded when the next one was committed. A tombstone is a change that was never visible: superseded by itself, so
 * that the table does not depend on where steps were cut. A record without a key, which ingest refuses, has no identity to be a row by.
 */
export function foldRecords(kind: StreamKind, records: StreamRecord[]): FoldedStep {
  if (kind === 'append') return { rows: records, changes: [], keys: [], deleted: 0 };
  const folded: FoldedStep = { rows: [], changes: [], keys: [], deleted: 0 };
  const next = linkVersions(records, folded.keys);
  for (const [index, record] of records.entries()) {
    if (record.value === null || record.key === null) {
      folded.changes.push({ row: record, supersededAtMs: record.ingestedAtMs });
      if (next[index] < 0) folded.deleted++;
    } else if (next[index] >= 0) {
      folded.changes.push({ row: record, supersededAtMs: records[next[index]].ingestedAtMs });
    } else {
      folded.rows.push(record);
    }
  }
  return folded;
}

/** Per record, the index of the next record of its key, or -1; collects the distinct keys by the way. */
function linkVersions(records: readonly StreamRecord[], keys: KeyLookup[]): Int32Array {
  const next = new Int32Array(records.length).fill(-1);
  const newest = new Map<string, number>();
  for (const [index, record] of records.entries()) {
    if (record.key === null) continue;
    const name = byteString(record.key);
    const earlier = newest.get(name);
    if (earlier !== undefined) next[earlier] = index;
    else keys.push({ key: record.key, belowSeq: record.seq, supersededAtMs: record.ingestedAtMs });
    newest.set(name, index);
  }
  return next;
}
