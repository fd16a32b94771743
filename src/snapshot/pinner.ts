import { type Clock, isTailwaterError, TailwaterError } from '../base/index.ts';
import { expiredCount } from '../lakehouse/index.ts';
import type { LogReader, Position, StreamDefinition } from '../streams/index.ts';
import { type Demand, parseConsistency } from './consistency.ts';
import type { LiveStream } from './live-stream.ts';
import type { LiveStreams } from './live-streams.ts';
import type { PastCuts } from './past-cuts.ts';
import type { Pinned } from './pinned.ts';
import type { Consistency } from './snapshot-types.ts';
import { pinTag, pinTaggedPosition } from './tagged-cuts.ts';

type PinnedCut = Pick<Pinned, 'table' | 'resident' | 'shadowed' | 'tail'>;

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
        if (!this.#refreshedWithin(demand.maxStalenessMs)) await this.#refresh();
        return this.#pinNow(definition);
      case 'at-least':
        await this.#reach(this.#segmentOf(demand.position), deadlineAtMs);
        return this.#pinNow(definition);
      case 'as-of-position': {
        await this.#reach(this.#segmentOf(demand.position), deadlineAtMs);
        return this.#pinPosition(definition, demand.position);
      }
      case 'as-of-tag':
        return pinTag(this.#options.streams.require(definition), this.#options.streams.shardNumber, demand.tag);
      case 'as-of-time':
        await this.#refresh();
        return this.#pinAt(definition, await this.#segmentAt(demand.timeMs), null, demand.timeMs);
    }
  }

  /** A clock that was set back does not tell how long ago it was. */
  #refreshedWithin(ms: number): boolean {
    const agoMs = this.#options.clock.nowMs() - this.#refreshedAtMs;
    return agoMs >= 0 && agoMs <= ms;
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
    const base = { definition, shard: streams.shardNumber, ...nowAt(stream, seq) };
    const { table } = base;
    // Another node may have compacted segments that this one has not applied yet.
    if (table !== null && table.state.logSeq > seq) {
      return { ...base, throughSegment: table.state.logSeq, throughTimeMs: table.state.logTimeMs };
    }
    return { ...base, throughSegment: seq, throughTimeMs: commitTimeMs };
  }

  /** What is no longer kept as history, a tag may keep. */
  async #pinPosition(definition: StreamDefinition, position: Position): Promise<Pinned> {
    const { streams } = this.#options;
    try {
      const named = position.streams.find(entry => entry.incarnation === definition.incarnation);
      return await this.#pinAt(definition, this.#segmentOf(position), named?.tableState ?? null, null);
    } catch (error) {
      if (!isTailwaterError(error, 'TW_HISTORY_EXPIRED')) throw error;
      const tagged = await pinTaggedPosition(streams.require(definition), streams.shardNumber, position);
      if (tagged === null) throw error;
      return tagged;
    }
  }

  /** The instant is that of the segment; what had expired by then says the table state of that time, or the time. */
  async #pinAt(definition: StreamDefinition, segment: number, stateThen: number | null, timeMs: number | null): Promise<Pinned> {
    const { streams } = this.#options;
    const knownTimeMs = await this.#timeOf(segment);
    const stream = streams.require(definition);
    const base = { definition, shard: streams.shardNumber, throughSegment: segment };
    const isWhole = stream.logSeq <= segment && expiredIn(stream) === 0;
    const maxExpired = isWhole ? 0 : await stream.states.expiredAt(stateThen, timeMs ?? knownTimeMs);
    const live = stream.logSeq > segment || expiredIn(stream) > maxExpired ? null : nowAt(stream, segment);
    const cut = live === null || live.tail.missingVectors() > 0 ? await this.#rebuilt(stream, segment, maxExpired, live) : live;
    return { ...base, throughTimeMs: knownTimeMs ?? cut.table?.state.logTimeMs ?? 0, ...cut };
  }

  /** A row that is superseded by now may never have got a vector: a rebuilt cut has it, where the log still goes back so far. */
  async #rebuilt(stream: LiveStream, segment: number, maxExpired: number, otherwise: PinnedCut | null): Promise<PinnedCut> {
    try {
      return { ...(await this.#options.past.at(stream, segment, maxExpired)), resident: null };
    } catch (error) {
      if (otherwise !== null && isTailwaterError(error, 'TW_HISTORY_EXPIRED')) return otherwise;
      throw error;
    }
  }

  /** Null when the segment is no longer kept. */
  async #timeOf(segment: number): Promise<number | null> {
    const { streams, log } = this.#options;
    const known = segment === 0 ? 0 : streams.commitTimes.timeOf(segment);
    if (known !== undefined) return known;
    const read = await log.read(segment);
    return read === null || segment < (await log.floor()) ? null : read.commitTimeMs;
  }

  /** The last segment committed at or before the time; 0 when the log began later. Throws TW_HISTORY_EXPIRED. */
  async #segmentAt(timeMs: number): Promise<number> {
    const { clock, streams, log } = this.#options;
    if (timeMs > clock.nowMs() && timeMs > streams.shard.commitTimeMs) {
      throw new TailwaterError('TW_BAD_REQUEST', { detail: `asOf ${new Date(timeMs).toISOString()} is in the future.` });
    }
    const { seq, commitTimeMs } = streams.shard;
    if (timeMs >= commitTimeMs) return seq;
    const { commitTimes } = streams;
    const known = commitTimes.lastAtOrBefore(timeMs);
    if (known !== undefined) return known;
    const floor = await log.floor();
    let low = floor - 1;
    // After a start that replayed nothing, no time is known.
    let high = commitTimes.firstSegment === 0 ? seq : commitTimes.firstSegment - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const segment = await log.read(middle);
      if (segment === null || segment.commitTimeMs <= timeMs) low = middle;
      else high = middle - 1;
    }
    if (floor > 1 && low < (await log.floor())) throw timeExpired(timeMs);
    return low;
  }
}

/** The segment of that time is among those that are gone; which one it was cannot be told. */
function timeExpired(timeMs: number): TailwaterError {
  return new TailwaterError('TW_HISTORY_EXPIRED', {
    detail: `The log of ${new Date(timeMs).toISOString()} is no longer kept; a token of that time may still be answered.`,
  });
}

function expiredIn({ view }: LiveStream): number {
  return view === null ? 0 : expiredCount(view.state);
}

/** Synchronous, so that table and tail are of one instant. */
function nowAt(stream: LiveStream, segment: number): PinnedCut {
  const { view: table, resident, shadowed } = stream;
  return { table, resident, shadowed, tail: stream.tail.snapshot(stream.logSeq, segment) };
}
