/** When a stream's tail is worth compacting: whichever comes first. */
export interface CompactionTrigger {
  /** Default 50,000. */
  rows: number;
  /** Default 64 MiB. */
  bytes: number;
  /** Age of the oldest row; default 60 s. */
  ageMs: number;
}

export const COMPACTION_TRIGGER_DEFAULTS: CompactionTrigger = { rows: 50_000, bytes: 64 * 1024 * 1024, ageMs: 60_000 };

/** What is known of a tail. `oldestAgeMs` is null when it is empty. */
export interface TailSize {
  rows: number;
  bytes: number;
  oldestAgeMs: number | null;
}

/** Why the tail is due for compaction, or null when it is not. */
export function compactionDue(
  tail: TailSize,
  trigger: CompactionTrigger = COMPACTION_TRIGGER_DEFAULTS,
): 'rows' | 'bytes' | 'age' | null {
  if (tail.rows === 0) return null;
  if (tail.rows >= trigger.rows) return 'rows';
  if (tail.bytes >= trigger.bytes) return 'bytes';
  return tail.oldestAgeMs !== null && tail.oldestAgeMs >= trigger.ageMs ? 'age' : null;
}
