import type { Id } from '../iceberg/exact-json.ts';
import type { Metadata } from './types.ts';

/** Metadata on their way from one version to the next. */
export interface Draft {
  metadata: Metadata;
  /** What "-1" means in what follows: the last that was added. */
  lastSchema: number | null;
  lastSpec: number | null;
  lastOrder: number | null;
  /** Snapshots of this commit: the log has them at their own time. */
  readonly addedSnapshots: Set<Id>;
  readonly nowMs: number;
}

export function draftOf(metadata: Metadata, nowMs: number): Draft {
  return { metadata, lastSchema: null, lastSpec: null, lastOrder: null, addedSnapshots: new Set(), nowMs };
}

export function change(draft: Draft, part: Partial<Metadata>): void {
  draft.metadata = { ...draft.metadata, ...part };
}
