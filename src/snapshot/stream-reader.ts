import { type Clock, TailwaterError } from '../base/index.ts';
import type { StreamDefinition, StreamRecord } from '../streams/index.ts';
import { earliestOf, freshnessOf, headsOf, type Pinned, tokenOf, watermarkOf } from './pinned.ts';
import { DEFAULT_DEADLINE_MS, type Pinner } from './pinner.ts';
import type { Consistency, ReadFrom, StreamPage } from './snapshot-types.ts';

export const MAX_PAGE_RECORDS = 10_000;

export interface PageRequest {
  partition: number;
  from: ReadFrom;
  limit: number;
  consistency?: Consistency;
}

/** Reads a stream in offset order: at or below the watermark from the table, above it from the tail, the same bytes either way. */
export class StreamReader {
  readonly #pinner: Pinner;
  readonly #clock: Clock;

  constructor(pinner: Pinner, clock: Clock) {
    this.#pinner = pinner;
    this.#clock = clock;
  }

  /** Throws TW_OFFSET_OUT_OF_RANGE beyond the head, TW_BAD_REQUEST for a partition or limit that cannot be. */
  async page(definition: StreamDefinition, request: PageRequest): Promise<StreamPage> {
    checkPartition(definition, request.partition);
    if (!Number.isInteger(request.limit) || request.limit < 1 || request.limit > MAX_PAGE_RECORDS) {
      throw new TailwaterError('TW_BAD_REQUEST', { detail: `limit must be an integer from 1 to ${MAX_PAGE_RECORDS}.` });
    }
    const nowMs = this.#clock.nowMs();
    const pinned = await this.#pinner.pin(definition, request.consistency, nowMs + DEFAULT_DEADLINE_MS);
    const first = await resolveFrom(pinned, request.partition, request.from);
    const records = await readOffsets(pinned, request.partition, first, request.limit);
    return {
      records,
      next: records.length === 0 ? first : records[records.length - 1].offset + 1,
      freshness: freshnessOf(pinned, this.#clock.nowMs()),
      token: tokenOf(pinned),
    };
  }
}

export function checkPartition(definition: StreamDefinition, partition: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < definition.partitions) return;
  throw new TailwaterError('TW_BAD_REQUEST', {
    detail: `Stream "${definition.name}" has partitions 0 to ${definition.partitions - 1}; there is no partition ${partition}.`,
  });
}

/** Records from `first` on, at most `limit`, dense. Throws TW_HISTORY_EXPIRED when there may be gaps: nothing is passed over silently. */
export async function readOffsets(pinned: Pinned, partition: number, first: number, limit: number): Promise<StreamRecord[]> {
  const earliest = earliestOf(pinned)[partition];
  if (first < earliest) {
    throw new TailwaterError('TW_HISTORY_EXPIRED', {
      detail: `Records of partition ${partition} below offset ${earliest} have expired; offset ${first} was asked for.`,
      data: { partition, earliest },
    });
  }
  return readKeptOffsets(pinned, partition, first, limit);
}

/** As `readOffsets`, for those who can do with gaps: the records of `limit` offsets from `first` on that are still kept. */
export async function readKeptOffsets(pinned: Pinned, partition: number, first: number, limit: number): Promise<StreamRecord[]> {
  const watermark = watermarkOf(pinned)[partition];
  const head = headsOf(pinned)[partition];
  const last = Math.min(head, first + limit - 1);
  const records: StreamRecord[] = [];
  if (first <= watermark) {
    records.push(...(await pinned.table!.version.byOffsets(partition, first, Math.min(watermark, last), limit)));
  }
  if (last > watermark) {
    const from = Math.max(first, watermark + 1);
    records.push(...pinned.tail.byOffsets(partition, from, last, limit - records.length));
  }
  return records;
}

/** The offset a read starts at. */
export async function resolveFrom(pinned: Pinned, partition: number, from: ReadFrom): Promise<number> {
  const next = headsOf(pinned)[partition] + 1;
  switch (from.kind) {
    case 'earliest':
      return earliestOf(pinned)[partition];
    case 'latest':
      return next;
    case 'offset':
      if (from.offset <= next) return from.offset;
      throw new TailwaterError('TW_OFFSET_OUT_OF_RANGE', {
        detail: `Offset ${from.offset} is beyond the head of partition ${partition}; the next offset to be written is ${next}.`,
        data: { next },
      });
    case 'commit-time':
      return firstCommittedAt(pinned, partition, from.timeMs, next);
    case 'event-time':
      return firstEventAt(pinned, partition, from.timeMs, next);
  }
}

/** Commit times rise with offsets, so a binary search finds the first at or after a time. */
async function firstCommittedAt(pinned: Pinned, partition: number, timeMs: number, next: number): Promise<number> {
  let low = earliestOf(pinned)[partition];
  let high = next;
  while (low < high) {
    const middle = (low + high) >> 1;
    const [record] = await readOffsets(pinned, partition, middle, 1);
    if (record.ingestedAtMs < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Event times do not rise with offsets: the earliest offset whose event time is at or after the time, as Kafka's ListOffsets does. */
async function firstEventAt(pinned: Pinned, partition: number, timeMs: number, next: number): Promise<number> {
  for (let offset = earliestOf(pinned)[partition]; offset < next; ) {
    const records = await readOffsets(pinned, partition, offset, MAX_PAGE_RECORDS);
    const found = records.find(record => record.timeMs >= timeMs);
    if (found) return found.offset;
    offset += records.length;
  }
  return next;
}
