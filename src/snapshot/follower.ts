import type { Clock } from '../base/index.ts';
import { TailwaterError } from '../base/index.ts';
import { decodeToken, encodeToken, type StreamDefinition, type StreamRecord } from '../streams/index.ts';
import type { LiveStreams } from './live-streams.ts';
import { headsOf, type Pinned, positionOf } from './pinned.ts';
import { DEFAULT_DEADLINE_MS, type Pinner } from './pinner.ts';
import type { LiveRecord, ReadFrom } from './snapshot-types.ts';
import { checkPartition, readOffsets, resolveFrom } from './stream-reader.ts';

const PAGE_RECORDS = 500;

export interface FollowRequest {
  /** Default: all. */
  partition?: number;
  from: ReadFrom;
  /** The token of the last record seen; `from` is then ignored. */
  after?: string;
  signal?: AbortSignal;
}

/**
 * A live read of a stream: what is there, then what comes. Pulls a page at a time, so a slow reader costs one page of memory;
 * each record carries the token that resumes right after it.
 */
export class Follower {
  readonly #streams: LiveStreams;
  readonly #pinner: Pinner;
  readonly #clock: Clock;

  constructor(streams: LiveStreams, pinner: Pinner, clock: Clock) {
    this.#streams = streams;
    this.#pinner = pinner;
    this.#clock = clock;
  }

  /** Ends when the signal aborts; throws TW_STREAM_NOT_FOUND when the stream is deleted meanwhile. */
  async *follow(definition: StreamDefinition, request: FollowRequest): AsyncGenerator<LiveRecord> {
    if (request.partition !== undefined) checkPartition(definition, request.partition);
    const partitions = request.partition === undefined ? [...Array(definition.partitions).keys()] : [request.partition];
    const next = await this.#start(definition, partitions, request);
    while (!request.signal?.aborted) {
      const live = this.#streams.require(definition);
      const wake = live.nextRecord(request.signal);
      const pinned = await this.#pin(definition);
      const records = await nextPage(pinned, partitions, next);
      for (const record of records) {
        next[record.partition] = record.offset + 1;
        yield { record, token: tokenAfter(pinned, next) };
      }
      if (records.length === 0) await wake;
    }
  }

  /** The token that a follow of all partitions goes on after to begin at `from`. Throws as `resolveFrom`. */
  async position(definition: StreamDefinition, from: ReadFrom): Promise<string> {
    const pinned = await this.#pin(definition);
    const next = await Promise.all(headsOf(pinned).map((_, partition) => resolveFrom(pinned, partition, from)));
    return tokenAfter(pinned, next);
  }

  #pin(definition: StreamDefinition): Promise<Pinned> {
    return this.#pinner.pin(definition, undefined, this.#clock.nowMs() + DEFAULT_DEADLINE_MS);
  }

  async #start(definition: StreamDefinition, partitions: number[], request: FollowRequest): Promise<number[]> {
    const pinned = await this.#pin(definition);
    const next = headsOf(pinned).map(head => head + 1);
    if (request.after !== undefined) return resumeAfter(definition, request.after);
    for (const partition of partitions) next[partition] = await resolveFrom(pinned, partition, request.from);
    return next;
  }
}

function resumeAfter(definition: StreamDefinition, token: string): number[] {
  const stream = decodeToken(token).streams.find(entry => entry.incarnation === definition.incarnation);
  if (!stream || stream.heads.length > definition.partitions) {
    throw new TailwaterError('TW_BAD_TOKEN', {
      detail: `The token does not name stream "${definition.name}" as it is now; follow from earliest or latest instead.`,
    });
  }
  return Array.from({ length: definition.partitions }, (_, partition) => (stream.heads[partition] ?? -1) + 1);
}

/** Up to a page of each partition, in log order: beyond the end of a full page there may be more of its partition. */
async function nextPage(pinned: Pinned, partitions: number[], next: number[]): Promise<StreamRecord[]> {
  const pages = await Promise.all(partitions.map(partition => readOffsets(pinned, partition, next[partition], PAGE_RECORDS)));
  const ends = pages.filter(page => page.length === PAGE_RECORDS).map(page => page[PAGE_RECORDS - 1].seq);
  const end = Math.min(...ends);
  return pages
    .flat()
    .filter(({ seq }) => seq <= end)
    .sort((a, b) => a.seq - b.seq);
}

function tokenAfter(pinned: Pinned, next: number[]): string {
  const position = positionOf(pinned);
  position.streams[0].heads = next.map(offset => offset - 1);
  return encodeToken(position);
}
