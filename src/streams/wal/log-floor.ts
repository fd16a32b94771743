/** How far the table of a stream has come. */
export interface StreamProgress {
  incarnation: string;
  /** The log has records of it that the table lacks. */
  behind: boolean;
  /** Every record of a segment at or below this is in the table; 0: none. */
  logSeq: number;
}

export interface LogFacts {
  /** The lowest segment kept so far. */
  floor: number;
  head: number;
  streams: readonly StreamProgress[];
  /** The lowest segment that retention and history keep; `head + 1`: none. */
  retainedFromSeq: number;
  /** The lowest segment that a pin names; null: none. */
  pinnedFromSeq: number | null;
}

export interface LogFloorPlan {
  /** The lowest segment to keep from now on. */
  floor: number;
  /** The lowest segment with records that a table may lack; `head + 1` when all are in their tables. */
  neededFromSeq: number;
  /** The incarnation of the stream that needs it; null: none does. */
  neededBy: string | null;
  heldBy: 'stream' | 'retention' | 'pin' | null;
}

/** Where the floor of a log may be: below it every record is in a table, older than what is retained, and not pinned. Never falls. */
export function planLogFloor({ floor, head, streams, retainedFromSeq, pinnedFromSeq }: LogFacts): LogFloorPlan {
  let neededFromSeq = head + 1;
  let neededBy: string | null = null;
  for (const stream of streams) {
    if (!stream.behind || stream.logSeq >= neededFromSeq - 1) continue;
    neededFromSeq = stream.logSeq + 1;
    neededBy = stream.incarnation;
  }
  const pinned = pinnedFromSeq ?? head + 1;
  const lowest = Math.min(neededFromSeq, retainedFromSeq, pinned);
  const holders = { stream: neededFromSeq, retention: retainedFromSeq, pin: pinned } as const;
  const heldBy = lowest > head ? null : (['stream', 'pin', 'retention'] as const).find(name => holders[name] === lowest)!;
  return { floor: Math.max(floor, lowest), neededFromSeq, neededBy, heldBy };
}

/** Whether the log, whose partitions continue at `nextOffsets`, has records above the watermark. */
export function isBehind(nextOffsets: readonly number[], watermark: readonly number[]): boolean {
  return nextOffsets.some((next, partition) => next - 1 > (watermark[partition] ?? -1));
}
