import type { Segment } from '../segment-types.ts';

/** The offsets of one partition that the log holds: from `first` up to, without, `next`. */
export interface OffsetRange {
  first: number;
  next: number;
}

/** What must hold from segment to segment, checked over segments in order from any one on. */
export class LogVerification {
  readonly #streams = new Map<string, Map<number, OffsetRange>>();
  #last: { seq: number; commitTimeMs: number } | null = null;

  /** What is wrong with this segment after those before it, one line each. */
  add(segment: Segment): string[] {
    const problems: string[] = [];
    const last = this.#last;
    if (last !== null && segment.seq !== last.seq + 1) problems.push(`it follows segment ${last.seq}`);
    if (last !== null && segment.commitTimeMs <= last.commitTimeMs) problems.push('it was not committed after the one before');
    this.#last = segment;
    for (const { incarnation, partition, batch } of segment.batches) {
      const fault = this.#addBatch(incarnation, partition, batch.baseOffset, batch.count);
      if (fault !== null) problems.push(fault);
    }
    return problems;
  }

  /** Undefined: the log has no record of that partition. */
  rangeOf(incarnation: string, partition: number): OffsetRange | undefined {
    return this.#streams.get(incarnation)?.get(partition);
  }

  #addBatch(incarnation: string, partition: number, first: number, count: number): string | null {
    const partitions = this.#streams.get(incarnation) ?? new Map<number, OffsetRange>();
    this.#streams.set(incarnation, partitions);
    const range = partitions.get(partition);
    const next = first + count;
    if (range === undefined) partitions.set(partition, { first, next });
    else if (range.next === first) range.next = next;
    else {
      const fault = `partition ${partition} of stream life ${incarnation} goes on at offset ${first}, not at ${range.next}`;
      range.next = next;
      return fault;
    }
    return null;
  }
}

/**
 * Whether table and log together hold every offset of a partition below `next`: what is wrong, or null. `watermark`: the highest offset of
 * the table, -1: none.
 */
export function coverageFault(partition: number, watermark: number, range: OffsetRange | undefined, next: number): string | null {
  const reached = Math.max(watermark + 1, range?.next ?? 0);
  if (range !== undefined && range.next > watermark + 1 && range.first > watermark + 1) {
    return `offsets ${watermark + 1} to ${range.first - 1} of partition ${partition} are neither in the table nor in the log`;
  }
  return reached < next
    ? `offsets ${reached} to ${next - 1} of partition ${partition} are neither in the table nor in the log`
    : null;
}
