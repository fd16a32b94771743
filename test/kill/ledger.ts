import type { AppendAnswer } from '../../src/server/index.ts';

export type StreamName = 'events' | 'rows';

export interface SentRecord {
  key: string;
  /** Null deletes the key. */
  value: { batch: string; index: number; text: string } | null;
  headers: { batch: string; index: string };
}

/** Where records of a batch are: offsets first to last of a partition. */
export type Ranges = AppendAnswer['partitions'];

/**
 * What is known of a batch: acknowledged (it is at `ranges`), unknown (it is there whole or not at all), refused (nothing of it is there).
 * One that is being sent is as good as unknown.
 */
export interface Batch {
  id: string;
  stream: StreamName;
  idempotencyKey: string;
  records: SentRecord[];
  outcome: 'acknowledged' | 'unknown' | 'refused';
  ranges: Ranges;
}

export type ViolationKind = 'lost' | 'duplicate' | 'wrong';

export interface Violation {
  kind: ViolationKind;
  what: string;
}

/** What clients were told about every batch they sent to one store. */
export class Ledger {
  readonly batches: Batch[] = [];
  readonly violations: Violation[] = [];
  /** What the store's nodes did beside, at the last check. */
  progress = { tableStates: 0, logSegmentsCollected: 0 };
  readonly #byId = new Map<string, Batch>();

  add(batch: Omit<Batch, 'outcome' | 'ranges'>): Batch {
    const added: Batch = { ...batch, outcome: 'unknown', ranges: [] };
    this.batches.push(added);
    this.#byId.set(added.id, added);
    return added;
  }

  get(id: string): Batch | undefined {
    return this.#byId.get(id);
  }

  of(stream: StreamName, outcome: Batch['outcome']): Batch[] {
    return this.batches.filter(batch => batch.stream === stream && batch.outcome === outcome);
  }

  violated(kind: ViolationKind, what: string): void {
    this.violations.push({ kind, what });
  }

  /** Takes an answer down. A batch that was answered before must get the same answer (a retry returns the first). */
  acknowledge(batch: Batch, answer: AppendAnswer): void {
    const count = answer.partitions.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    if (answer.rejected.length > 0 || answer.accepted !== batch.records.length || count !== batch.records.length) {
      this.violated('wrong', `${batch.id} has ${batch.records.length} records; the answer was ${JSON.stringify(answer)}`);
    }
    if (batch.outcome === 'acknowledged' && !sameRanges(batch.ranges, answer.partitions)) {
      const answers = `${JSON.stringify(batch.ranges)}, then ${JSON.stringify(answer.partitions)}`;
      this.violated('duplicate', `${batch.id} was acknowledged twice, differently: ${answers}`);
    }
    batch.outcome = 'acknowledged';
    batch.ranges = answer.partitions;
  }

  /** The acknowledged batches cover the offsets of every partition, from 0 to the head, without a gap and without an overlap. */
  checkTiling(stream: StreamName, heads: readonly number[]): void {
    const ranges = this.of(stream, 'acknowledged').flatMap(batch => batch.ranges.map(range => ({ ...range, id: batch.id })));
    for (const [partition, head] of heads.entries()) {
      let next = 0;
      for (const { first, last, id } of ranges.filter(range => range.partition === partition).sort((a, b) => a.first - b.first)) {
        if (first < next) this.violated('duplicate', `${stream}/${partition}: two batches have offset ${first}, one is ${id}`);
        if (first > next) this.violated('duplicate', `${stream}/${partition}: nobody wrote offsets ${next} to ${first - 1}`);
        next = Math.max(next, last + 1);
      }
      if (next < head + 1) this.violated('duplicate', `${stream}/${partition}: nobody wrote offsets ${next} to ${head}`);
      if (next > head + 1) this.violated('lost', `${stream}/${partition}: offsets ${head + 1} to ${next - 1} were acknowledged`);
    }
  }

  /** Key by key, the newest acknowledged record of the upsert stream. A key keeps its partition, so offsets order its records. */
  newestByKey(): Map<string, SentRecord> {
    const newest = new Map<string, { first: number; record: SentRecord }>();
    for (const { records, ranges } of this.of('rows', 'acknowledged')) {
      const { key } = records[0];
      const [{ first }] = ranges;
      if (first > (newest.get(key)?.first ?? -1)) newest.set(key, { first, record: records.at(-1)! });
    }
    return new Map([...newest].map(([key, { record }]) => [key, record]));
  }
}

export function sameRanges(a: Ranges, b: Ranges): boolean {
  const text = (ranges: Ranges): string =>
    ranges
      .map(({ partition, first, last }) => `${partition}:${first}-${last}`)
      .sort()
      .join();
  return text(a) === text(b);
}
