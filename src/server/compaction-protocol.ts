import type { Problem } from '../base/index.ts';
import type { TableVersions } from '../lakehouse/index.ts';
import type { StreamDefinition } from '../streams/index.ts';

/** What a node asks its compaction process. */
export interface CompactionJob {
  id: number;
  definition: StreamDefinition;
  /** Without a table yet, the first segment that may hold records of the stream. */
  firstSegment: number;
  /** Compact at least through this segment. */
  throughSegment: number;
  /** Bring every index fully up to date. */
  full: boolean;
}

/** Removes versions of a table that are older than all of `keep`. */
export interface PruneJob {
  id: number;
  definition: StreamDefinition;
  keep: readonly TableVersions[];
}

export type CompactionMessage =
  | { kind: 'ready' }
  /** A table state was committed; the node may take it over. */
  | { kind: 'advanced'; incarnation: string }
  | { kind: 'done'; id: number }
  | { kind: 'failed'; id: number; problem: Problem };
