import type { Deleted } from '../../lakehouse/index.ts';

/** What one log shard keeps, and why. */
export interface LogCollectionReport {
  shard: number;
  head: number;
  /** The lowest segment kept from now on. */
  floor: number;
  /** Segments given up by this run. A folder deletes whole files of them. */
  segments: number;
  /** The lowest segment with records that a table may lack; `head + 1`: none. */
  neededFromSeq: number;
  /** The stream that lacks them. */
  neededBy: string | null;
  /** What keeps the floor from rising further. */
  heldBy: 'stream' | 'retention' | 'pin' | null;
}

/** What a run of the collector did, or with `dryRun` would have done. */
export interface CollectionReport {
  dryRun: boolean;
  log: LogCollectionReport[];
  /** Table states given up. */
  states: number;
  statistics: Deleted;
  vectors: Deleted;
  /** What streams that were deleted left behind. */
  dropped: Deleted & { streams: number };
  /** What other engines left in the folders of streams' tables; `recent`, with `dryRun`: what may be of a commit that is under way. */
  others: Deleted & { recent: string[] };
  /** Entries of the catalog given up. */
  catalogEntries: number;
  pins: { active: number; removed: number };
  /** Temporary files of writers that died. */
  temporaries: number;
  /** With `dryRun`: the objects that nothing names, and what else would be deleted without being given up first. */
  orphans: string[];
  /** What could not be done this time, one line each; the next run tries again. */
  problems: string[];
}

export function emptyReport(dryRun: boolean): CollectionReport {
  const none = (): Deleted => ({ objects: 0, bytes: 0 });
  return {
    dryRun,
    log: [],
    states: 0,
    statistics: none(),
    vectors: none(),
    dropped: { streams: 0, ...none() },
    others: { ...none(), recent: [] },
    catalogEntries: 0,
    pins: { active: 0, removed: 0 },
    temporaries: 0,
    orphans: [],
    problems: [],
  };
}

export function addDeleted(sum: Deleted, deleted: Deleted): void {
  sum.objects += deleted.objects;
  sum.bytes += deleted.bytes;
}
