import type { Problem } from '../base/index.ts';
import type { TableVersions, VectorAnswer, VectorRequest } from '../lakehouse/index.ts';
import type { MeteredRequests } from '../storage/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { StorageChoice } from './deployment/open-storage.ts';

/** The first message to the process. By this way and not by its arguments, which others on the machine can read: it may hold credentials. */
export interface OpenStorage {
  open: StorageChoice;
  threads: number;
}

/** What a node asks its compaction process: to move rows, or to see to indexes, fragments and vectors that are missing (C5, C7). */
export interface CompactionJob {
  id: number;
  definition: StreamDefinition;
  /** Without a table yet, the first segment that may hold records of the stream. */
  firstSegment: number;
  /** Compact at least through this segment. */
  throughSegment: number;
  part: 'rows' | 'upkeep';
  /** Upkeep of everything that is not up to date; else of what pays. */
  full: boolean;
}

/** Removes versions of a table that are older than all of `keep`. */
export interface PruneJob {
  id: number;
  definition: StreamDefinition;
  keep: readonly TableVersions[];
}

/** The node's answer to `compute`: what the process asked for, which has no keys of embedding services. Null: there are none now. */
export interface ComputedVectors {
  computed: number;
  answer: VectorAnswer | null;
}

export type CompactionMessage =
  | { kind: 'compute'; id: number; definition: StreamDefinition; rows: VectorRequest[] }
  /** A table state was committed; the node may take it over. */
  | { kind: 'advanced'; incarnation: string }
  /** What was asked of the object store since the last of these messages. */
  | { kind: 'requests'; counts: MeteredRequests[] }
  /** `state`: the number of the newest table state. */
  | { kind: 'done'; id: number; state: number | null }
  | { kind: 'failed'; id: number; problem: Problem };
