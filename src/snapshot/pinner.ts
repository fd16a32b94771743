import { isDeepStrictEqual } from 'node:util';
import { type Clock, isTailwaterError, TailwaterError } from '../base/index.ts';
import { expiredCount } from '../lakehouse/index.ts';
import type { LogReader, Position, StreamDefinition } from '../streams/index.ts';
import { type Demand, parseConsistency } from './consistency.ts';
import type { LiveStream } from './live-stream.ts';
import type { LiveStreams } from './live-streams.ts';
import type { PastCuts } from './past-cuts.ts';
import { headsOf, type Pinned, type PinnedStreams } from './pinned.ts';
import type { Consistency } from './snapshot-types.ts';
import { pinTag, pinTaggedPosition } from './tagged-cuts.ts';

type PinnedCut = Pick<Pinned, 'table' | 'resident' | 'shadowed' | 'tail'>;

type AsOfDemand = Extract<Demand, { kind: 'as-of-position' | 'as-of-time' }>;
type DemandNow = Exclude<Demand, AsOfDemand | { kind: 'as-of-tag' }>;

/** What a request as of the past names: a time, or a position. */
interface Instant {
  segment: number;
  timeMs: number | null;
  position: Position | null;
}

/** Between looks for a position that is not there yet; doubles up to the second: a look may cost requests. */
const POLL_MS = 5;
const MAX_POLL_MS = 250;
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
  #refreshedAt = { wallMs: Number.NEGATIVE_INFINITY, monotonicMs: Number.NEGATIVE_INFINITY };

  constructor(options: PinnerOptions) {
    this.#options = options;
  }

  /**
   * Throws TW_NOT_YET_VISIBLE when the demanded position is not reached by `deadlineAtMs` (clock time), TW_HISTORY_EXPIRED for
   * an instant that is no longer kept, TW_TAG_NOT_FOUND, TW_STREAM_NOT_FOUND for a stream that is deleted by then.
   */
  async pin(definition: StreamDefinition, consistency: Consistency | undefined, deadlineAtMs: number): Promise<Pinned> {
    const demand = parseConsistency(consistency, this.#options.fallback);
    return this.#unlessDeleted([definition], async () => {
      if (demand.kind === 'as-of-tag') return this.#pinTag(definition, demand.tag);
      if (isAsOf(demand)) return this.#pinPast(definition, await this.#instantOf(demand, deadlineAtMs));
      await this.#meet(demand, deadlineAtMs);
      return this.#pinNow(definition);
    });
  }

  /** Several streams at one instant, in the order given. Throws as `pin` does, and TW_BAD_REQUEST for a tag that names several instants. */
  async pinAll(
    definitions: readonly StreamDefinition[],
    consistency: Consistency | undefined,
    deadlineAtMs: number,
  ): Promise<PinnedStreams> {
    const demand = parseConsistency(consistency, this.#options.fallback);
    return this.#unlessDeleted(definitions, async () => {
      if (demand.kind === 'as-of-tag') return this.#pinTags(definitions, demand.tag, deadlineAtMs);
      if (isAsOf(demand)) {
        const instant = await this.#instantOf(demand, deadlineAtMs);
        const pinned = await Promise.all(definitions.map(definition => this.#pinPast(definition, instant)));
        return this.#together(instant.segment, pinned);
      }
      await this.#meet(demand, deadlineAtMs);
      for (;;) {
        const throughSegment = this.#options.streams.shard.seq;
        const pinned = definitions.map(definition => this.#pinNow(definition));
        const ahead = Math.max(throughSegment, ...pinned.map(each => each.throughSegment));
        if (ahead === throughSegment) return this.#together(throughSegment, pinned);
        await this.#reach(ahead, deadlineAtMs);
      }
    });
  }

  #together(throughSegment: number, pinned: readonly Pinned[]): PinnedStreams {
    const { shardNumber: shard } = this.#options.streams;
    return { shard, throughSegment, pinned: pinned.map(each => ({ ...each, throughSegment })) };
  }

  #pinTag(definition: StreamDefinition, tag: string): Promise<Pinned> {
    const { streams } = this.#options;
    return pinTag(streams.require(definition), streams.shardNumber, tag);
  }

  /** Each stream has a tag of its own: they are one instant when nothing was written to a stream between its tag and the latest of them. */
  async #pinTags(definitions: readonly StreamDefinition[], tag: string, deadlineAtMs: number): Promise<PinnedStreams> {
    const pinned = await Promise.all(definitions.map(definition => this.#pinTag(definition, tag)));
    const through = Math.max(0, ...pinned.map(each => each.throughSegment));
    for (const each of pinned) {
      if (each.throughSegment === through) continue;
      await this.#reach(through, deadlineAtMs);
      const then = await this.#pinAt(each.definition, through, each.table?.state.n ?? null, null);
      if (!isDeepStrictEqual(headsOf(then), headsOf(each))) throw severalInstants(tag, each.definition.name);
    }
    return this.#together(through, pinned);
  }

  /** Of a stream that others deleted while this node stood still, some parts are gone before others: nothing is damaged. */
  async #unlessDeleted<T>(definitions: readonly StreamDefinition[], pin: () => Promise<T>): Promise<T> {
    try {
      return await pin();
    } catch (error) {
      const mayBeDeleted = isTailwaterError(error, 'TW_DATA_DAMAGED', 'TW_HISTORY_EXPIRED', 'TW_TAG_NOT_FOUND');
      if (mayBeDeleted && (await this.#isRefreshed())) {
        for (const definition of definitions) this.#options.streams.require(definition);
      }
      throw error;
    }
  }

  #isRefreshed(): Promise<boolean> {
    return this.refresh().then(
      () => true,
      () => false,
    );
  }

  async #instantOf(demand: AsOfDemand, deadlineAtMs: number): Promise<Instant> {
    if (demand.kind === 'as-of-time') {
      await this.refresh();
      return { segment: await this.#segmentAt(demand.timeMs), timeMs: demand.timeMs, position: null };
    }
    const segment = this.#segmentOf(demand.position);
    await this.#reach(segment, deadlineAtMs);
    return { segment, timeMs: null, position: demand.position };
  }

  async #meet(demand: DemandNow, deadlineAtMs: number): Promise<void> {
    if (demand.kind === 'at-least') await this.#reach(this.#segmentOf(demand.position), deadlineAtMs);
    else if (demand.kind === 'strong' || !this.#refreshedWithin(demand.maxStalenessMs)) await this.refresh();
  }

  /** Both clocks must say so: one may have been set back since, the other stood still while the machine slept. */
  #refreshedWithin(ms: number): boolean {
    const { clock } = this.#options;
    const { wallMs, monotonicMs } = this.#refreshedAt;
    return clock.nowMs() - wallMs <= ms && clock.monotonicMs() - monotonicMs <= ms;
  }

  /** A strong read of the log; requests that allow some staleness are answered from it meanwhile. */
  async refresh(): Promise<void> {
    const { clock, streams } = this.#options;
    const at = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    await streams.shard.refresh();
    this.#refreshedAt = at;
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
    for (let pauseMs = POLL_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_POLL_MS)) {
      await this.refresh();
      if (shard.seq >= segment) return;
      const leftMs = deadlineAtMs - this.#options.clock.nowMs();
      if (leftMs <= 0) {
        throw new TailwaterError('TW_NOT_YET_VISIBLE', {
          detail: `Segment ${segment} of the log was not reached in time; this node is at ${shard.seq}.`,
          data: { wanted: segment, reached: shard.seq },
          retryAfterMs: 100,
        });
      }
      await this.#options.clock.sleep(Math.min(pauseMs, leftMs));
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
  async #pinPast(definition: StreamDefinition, { segment, timeMs, position }: Instant): Promise<Pinned> {
    const { streams } = this.#options;
    try {
      const named = position?.streams.find(entry => entry.incarnation === definition.incarnation);
      return await this.#pinAt(definition, segment, named?.tableState ?? null, timeMs);
    } catch (error) {
      if (!isTailwaterError(error, 'TW_HISTORY_EXPIRED') || position === null) throw error;
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
    if (lacksVectors(liveAt(stream, segment, maxExpired))) await this.#options.past.completeVectors(stream.tail, segment);
    const live = liveAt(stream, segment, maxExpired);
    const cut = live === null || lacksVectors(live) ? await this.#rebuilt(stream, segment, maxExpired, live) : live;
    return { ...base, throughTimeMs: knownTimeMs ?? cut.table?.state.logTimeMs ?? 0, ...cut };
  }

  /** Vectors that the tail cannot have now may be in an older table, where that and the log after it are still kept. */
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
    const known = streams.commitTimes.lastAtOrBefore(timeMs);
    if (known !== undefined) return known;
    let low = (await log.floor()) - 1;
    let high = seq - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const segment = await log.read(middle);
      if (segment === null || segment.commitTimeMs <= timeMs) low = middle;
      else high = middle - 1;
    }
    // It may have risen meanwhile: what was gone when it was read was taken for older.
    const floor = await log.floor();
    if (floor > 1 && low < floor) throw timeExpired(timeMs);
    return low;
  }
}

/** The segment of that time is among those that are gone; which one it was cannot be told. */
function timeExpired(timeMs: number): TailwaterError {
  return new TailwaterError('TW_HISTORY_EXPIRED', {
    detail: `The log of ${new Date(timeMs).toISOString()} is no longer kept; a token of that time may still be answered.`,
  });
}

/** A tag may be younger than another of its name on another stream, with records between them. */
function severalInstants(tag: string, stream: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', {
    detail: `The tags ${JSON.stringify(tag.slice(0, 140))} of these streams are not of one instant: "${stream}" was written to after its own.`,
  });
}

function isAsOf(demand: Demand): demand is AsOfDemand {
  return demand.kind === 'as-of-position' || demand.kind === 'as-of-time';
}

/** Null when the table holds something newer, or has lost what it had then. */
function liveAt(stream: LiveStream, segment: number, maxExpired: number): PinnedCut | null {
  return stream.logSeq > segment || expiredIn(stream) > maxExpired ? null : nowAt(stream, segment);
}

function lacksVectors(cut: PinnedCut | null): boolean {
  return cut !== null && cut.tail.missingVectors() > 0;
}

function expiredIn({ view }: LiveStream): number {
  return view === null ? 0 : expiredCount(view.state);
}

/** Synchronous, so that table and tail are of one instant. */
function nowAt(stream: LiveStream, segment: number): PinnedCut {
  const { view: table, resident, shadowed } = stream;
  return { table, resident, shadowed, tail: stream.tail.snapshot(stream.logSeq, segment) };
}
