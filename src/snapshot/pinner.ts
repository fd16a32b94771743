import { type Clock, TailwaterError } from '../base/index.ts';
import type { LogReader, Position, StreamDefinition } from '../streams/index.ts';
import { type Demand, parseConsistency } from './consistency.ts';
import type { LiveStreams } from './live-streams.ts';
import type { PastCuts } from './past-cuts.ts';
import type { Pinned } from './pinned.ts';
import type { Consistency } from './snapshot-types.ts';

const POLL_MS = 5;
export const DEFAULT_DEADLINE_MS = 10_000;

export interface PinnerOptions {
  streams: LiveStreams;
  log: LogReader;
  past: PastCuts;
  clock: Clock;
  /** What requests without a consistency get: `strong` on one machine. */
  fallback: Demand;
}

/** Finds the instant a request may be answered at (R2), and pins it (R1). */
export class Pinner {
  readonly #options: PinnerOptions;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: PinnerOptions) {
    this.#options = options;
  }

  /**
   * Throws TW_NOT_YET_VISIBLE when the demanded position is not reached by `deadlineAtMs` (clock time), TW_HISTORY_EXPIRED for
   * an instant that is no longer kept.
   */
  async pin(definition: StreamDefinition, consistency: Consistency | undefined, deadlineAtMs: number): Promise<Pinned> {
    const demand = parseConsistency(consistency, this.#options.fallback);
    switch (demand.kind) {
      case 'strong':
        await this.#refresh();
        return this.#pinNow(definition);
      case 'max-staleness':
        if (this.#options.clock.nowMs() - this.#refreshedAtMs > demand.maxStalenessMs) await this.#refresh();
        return this.#pinNow(definition);
      case 'at-least':
        await this.#reach(this.#segmentOf(demand.position), deadlineAtMs);
        return this.#pinNow(definition);
      case 'as-of-position': {
        const segment = this.#segmentOf(demand.position);
        await this.#reach(segment, deadlineAtMs);
        return this.#pinAt(definition, segment);
      }
      case 'as-of-time':
        await this.#refresh();
        return this.#pinAt(definition, await this.#segmentAt(demand.timeMs));
    }
  }

  async #refresh(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    await this.#options.streams.shard.refresh();
    this.#refreshedAtMs = nowMs;
  }

  #segmentOf(position: Position): number {
    const { shardNumber } = this.#options.streams;
    const shard = position.shards.find(entry => entry.shard === shardNumber);
    if (!shard) throw new TailwaterError('TW_BAD_TOKEN', { detail: `The token does not name log shard ${shardNumber}.` });
    return shard.seq;
  }

  async #reach(segment: number, deadlineAtMs: number): Promise<void> {
    const { shard } = this.#options.streams;
    if (shard.seq >= segment) return;
    for (;;) {
      await this.#refresh();
      if (shard.seq >= segment) return;
      const leftMs = deadlineAtMs - this.#options.clock.nowMs();
      if (leftMs <= 0) {
        throw new TailwaterError('TW_NOT_YET_VISIBLE', {
          detail: `Segment ${segment} of the log was not reached in time; this node is at ${shard.seq}.`,
          data: { wanted: segment, reached: shard.seq },
          retryAfterMs: 100,
        });
      }
      await this.#options.clock.sleep(Math.min(POLL_MS, leftMs));
    }
  }

  /** Synchronous, so that table and tail are of one instant. */
  #pinNow(definition: StreamDefinition): Pinned {
    const { streams } = this.#options;
    const { seq, commitTimeMs } = streams.shard;
    const stream = streams.require(definition);
    const { view, shadowed, logSeq } = stream;
    const base = { definition, shard: streams.shardNumber, table: view, shadowed, tail: stream.tail.snapshot(logSeq, seq) };
    // Another node may have compacted segments that this one has not applied yet.
    if (view !== null && logSeq > seq) return { ...base, throughSegment: logSeq, throughTimeMs: view.state.logTimeMs };
    return { ...base, throughSegment: seq, throughTimeMs: commitTimeMs };
  }

  async #pinAt(definition: StreamDefinition, segment: number): Promise<Pinned> {
    const { streams, past } = this.#options;
    const throughTimeMs = await this.#timeOf(segment);
    const stream = streams.require(definition);
    const base = { definition, shard: streams.shardNumber, throughSegment: segment, throughTimeMs };
    if (stream.logSeq <= segment) {
      const tail = stream.tail.snapshot(stream.logSeq, segment);
      // A row that is superseded by now may never have got a vector: then the instant is rebuilt, and embedded as far as can be.
      if (tail.missingVectors() === 0) return { ...base, table: stream.view, shadowed: stream.shadowed, tail };
    }
    return { ...base, ...(await past.at(stream, segment)) };
  }

  async #timeOf(segment: number): Promise<number> {
    if (segment === 0) return 0;
    const known = this.#options.streams.commitTimes.timeOf(segment);
    return known ?? (await this.#options.log.read(segment))?.commitTimeMs ?? 0;
  }

  /** The last segment committed at or before the time; 0 when the log began later. */
  async #segmentAt(timeMs: number): Promise<number> {
    const { clock, streams, log } = this.#options;
    if (timeMs > clock.nowMs() && timeMs > streams.shard.commitTimeMs) {
      throw new TailwaterError('TW_BAD_REQUEST', { detail: `asOf ${new Date(timeMs).toISOString()} is in the future.` });
    }
    const known = streams.commitTimes.lastAtOrBefore(timeMs);
    if (known !== undefined) return known;
    let low = 0;
    let high = streams.commitTimes.firstSegment > 0 ? streams.commitTimes.firstSegment - 1 : streams.shard.seq;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const segment = await log.read(middle);
      if (segment === null || segment.commitTimeMs <= timeMs) low = middle;
      else high = middle - 1;
    }
    return Math.max(low, 0);
  }
}
