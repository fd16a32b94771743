import { type Clock, isTailwaterError, type Logger, type Timer } from '../base/index.ts';
import {
  CompactionQueue,
  type CompactionRequest,
  type CompactionRequests,
  compactionDue,
  expiryEveryMs,
  MAX_PRIORITY,
} from '../lakehouse/index.ts';
import type { LiveStream, LiveStreams } from '../snapshot/index.ts';
import type { TableJob } from './api.ts';
import type { CompactionRunner } from './compaction-process.ts';
import type { CompactionClaims } from './deployment/compaction-claims.ts';
import type { ComponentStats } from './metrics.ts';
import type { EngineSettings } from './settings.ts';

const CHECK_EVERY_MS = 250;
/** After a failure nobody waits for, the stream is left alone for this long. */
const PAUSE_AFTER_FAILURE_MS = 5000;
/** A stream that another node compacts is left alone for this long. */
const PAUSE_WHILE_CLAIMED_MS = 5000;
/** Rows of a table that lack a vector are seen to this long after the last try, doubling while nothing is gained. */
const FILL_EVERY_MS = 5000;
const MAX_FILL_EVERY_MS = 600_000;
/** Of a tail that has just become due; one ten times as large comes first, and what someone waits for before all. */
const DUE = MAX_PRIORITY / 10;

/** Where other nodes compact the same streams. */
export interface SharedDeployment {
  claims: CompactionClaims | null;
  /** Opens the queue that the nodes share, where there is one. While it cannot be reached each node goes by claims. */
  openQueue?: (run: RunJob) => SharedQueue;
  /** Upkeep committed a table state. */
  onUpkeep(incarnation: string): void;
}

export type RunJob = (request: CompactionRequest, caughtUp: () => void) => Promise<void>;

export interface SharedQueue extends CompactionRequests {
  readonly isReady: boolean;
}

const ALONE: SharedDeployment = { claims: null, onUpkeep() {} };

/** Keeps the tails small: asks for compactions when they are due, and lets streams take over what was committed. */
export class Compactions {
  readonly #streams: LiveStreams;
  readonly #runner: CompactionRunner;
  readonly #claims: CompactionClaims | null;
  readonly #onUpkeep: (incarnation: string) => void;
  readonly #queue: CompactionQueue;
  readonly #shared: SharedQueue | null;
  readonly #settings: EngineSettings['compaction'];
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** By incarnation: when a stream that failed may be tried again. */
  readonly #pausedUntilMs = new Map<string, number>();
  /** Incarnations of streams that are being claimed, or compacted under a claim. */
  readonly #claiming = new Set<string>();
  /** By incarnation: streams whose tables lack vectors, and when these are asked for again. */
  readonly #fills = new Map<string, { nullVectors: number; everyMs: number; nextMs: number }>();
  /** By incarnation: when expired records are looked for again. */
  readonly #expiries = new Map<string, number>();
  /** By incarnation: what runs at the moment. */
  readonly #running = new Map<string, { kind: TableJob['kind']; name: string; startedAtMs: number; commits: number }>();
  #timer: Timer | null = null;
  #lastFailure: string | null = null;

  /** Nothing is compacted unasked without the role `work`. */
  constructor(streams: LiveStreams, runner: CompactionRunner, settings: EngineSettings, shared: SharedDeployment = ALONE) {
    this.#streams = streams;
    this.#runner = runner;
    this.#claims = shared.claims;
    this.#onUpkeep = shared.onUpkeep;
    this.#settings = settings.compaction;
    this.#clock = settings.clock;
    this.#logger = settings.logger;
    this.#queue = new CompactionQueue({
      clock: settings.clock,
      random: settings.random,
      run: (job, caughtUp) => this.#run(job.incarnation, job.throughSegment, { full: false, caughtUp }),
    });
    const works = settings.roles.includes('work');
    this.#shared = (works && shared.openQueue?.((request, caughtUp) => this.#runForOthers(request, caughtUp))) || null;
    if (this.#settings.auto && works) this.#watch();
  }

  /** What the last failed compaction said; null after a success. */
  get lastFailure(): string | null {
    return this.#lastFailure;
  }

  stats(): Record<string, number> {
    return this.#queue.stats();
  }

  /** What is done to a table at the moment; null: nothing. */
  running(incarnation: string): TableJob | null {
    const job = this.#running.get(incarnation);
    if (job === undefined) return null;
    return { kind: job.kind, startedAt: new Date(job.startedAtMs).toISOString(), commits: job.commits };
  }

  /** A table state was committed. */
  committed(incarnation: string): void {
    const job = this.#running.get(incarnation);
    if (job !== undefined) job.commits++;
  }

  runningStats(): ComponentStats[] {
    return [...this.#running.values()].map(({ kind, name, startedAtMs, commits }) => ({
      component: 'table_job',
      labels: { stream: name, kind },
      stats: { seconds: (this.#clock.nowMs() - startedAtMs) / 1000, commits },
    }));
  }

  /** Resolves when the stream's table holds everything through the segment; `full`: and everything about it is up to date. */
  async compact(stream: LiveStream, throughSegment: number, full: boolean): Promise<void> {
    const { incarnation } = stream.definition;
    await this.#submit(incarnation, throughSegment, MAX_PRIORITY);
    // Another node may have done it.
    if (this.#shared !== null) await stream.advance({ patient: true });
    if (full) await this.#run(incarnation, throughSegment, { full });
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await Promise.all([this.#queue.close(), this.#shared?.close()]);
    await this.#runner.close();
  }

  #watch(): void {
    this.#timer = this.#clock.after(CHECK_EVERY_MS, () => {
      for (const stream of this.#streams.all()) {
        this.#requestIfDue(stream);
        this.#requestFill(stream);
        this.#requestExpiry(stream);
      }
      this.#watch();
    });
  }

  /** Compacts streams whose tails keep segments of the log for long, or many bytes of it: none holds the floor for all. */
  compactHolders(maxLagMs: number, maxLagBytes: number): void {
    const { shard, commitTimes } = this.#streams;
    for (const stream of this.#streams.all()) {
      const oldest = stream.tail.firstSegment;
      if (oldest === null) continue;
      const lagMs = this.#clock.nowMs() - (commitTimes.timeOf(oldest) ?? this.#clock.nowMs());
      if (lagMs < maxLagMs && shard.bytesAfter(oldest) < maxLagBytes) continue;
      this.#submit(stream.definition.incarnation, shard.seq).catch(() => {});
    }
  }

  #requestIfDue(stream: LiveStream): void {
    const oldest = stream.tail.firstSegment;
    if (oldest === null) return;
    const { incarnation } = stream.definition;
    const nowMs = this.#clock.nowMs();
    if ((this.#pausedUntilMs.get(incarnation) ?? 0) > nowMs) return;
    const oldestAtMs = this.#streams.commitTimes.timeOf(oldest) ?? nowMs;
    const tail = { rows: stream.tail.rows, bytes: stream.tail.bytes, oldestAgeMs: nowMs - oldestAtMs };
    if (!compactionDue(tail, this.#settings)) return;
    const pressure = Math.max(tail.rows / this.#settings.rows, tail.bytes / this.#settings.bytes);
    const priority = Math.min(MAX_PRIORITY - 1, Math.round(DUE * pressure));
    if (this.#shared?.isReady) void this.#compactByQueue(this.#shared, stream, priority);
    else if (this.#claims !== null) void this.#compactIfUnclaimed(this.#claims, stream);
    else this.#request(incarnation, priority);
  }

  /** By the queue that nodes share while it is there. */
  async #submit(incarnation: string, throughSegment: number, priority = 0): Promise<void> {
    if (this.#shared?.isReady) {
      try {
        return await this.#shared.request(incarnation, throughSegment, priority);
      } catch (error) {
        if (!isTailwaterError(error, 'TW_QUEUE_UNAVAILABLE')) throw error;
      }
    }
    await this.#queue.request(incarnation, throughSegment, priority);
  }

  async #compactByQueue(queue: SharedQueue, stream: LiveStream, priority: number): Promise<void> {
    const { incarnation } = stream.definition;
    if (this.#claiming.has(incarnation)) return;
    this.#claiming.add(incarnation);
    try {
      await queue.request(incarnation, this.#streams.shard.seq, priority);
      await stream.advance({ patient: true });
    } catch (error) {
      // Without Redis this node goes by claims at its next look.
      if (!isTailwaterError(error, 'TW_QUEUE_UNAVAILABLE')) this.#pause(incarnation, PAUSE_AFTER_FAILURE_MS);
    } finally {
      this.#claiming.delete(incarnation);
    }
  }

  /** Another node may have asked for more than this one has seen. */
  async #runForOthers({ incarnation, throughSegment }: CompactionRequest, caughtUp: () => void): Promise<void> {
    const { shard } = this.#streams;
    if (shard.seq < throughSegment || this.#streams.get(incarnation) === undefined) await shard.refresh();
    await this.#run(incarnation, throughSegment, { full: false, caughtUp });
  }

  #request(incarnation: string, priority = 0): Promise<void> {
    return this.#queue.request(incarnation, this.#streams.shard.seq, priority).catch(() => {
      this.#pause(incarnation, PAUSE_AFTER_FAILURE_MS);
    });
  }

  #pause(incarnation: string, ms: number): void {
    this.#pausedUntilMs.set(incarnation, this.#clock.nowMs() + ms);
  }

  async #compactIfUnclaimed(claims: CompactionClaims, stream: LiveStream): Promise<void> {
    const { incarnation } = stream.definition;
    if (this.#claiming.has(incarnation)) return;
    this.#claiming.add(incarnation);
    try {
      const claim = await claims.claim(incarnation);
      if (claim === null) {
        this.#pause(incarnation, PAUSE_WHILE_CLAIMED_MS);
        return;
      }
      try {
        // Whoever had the claim before may have done it.
        await stream.advance({ patient: true });
        if ((stream.newestState?.logSeq ?? 0) < (stream.tail.lastSegment ?? 0)) await this.#request(incarnation);
      } finally {
        await claim.release();
      }
    } catch (error) {
      this.#logger.debug({ stream: stream.definition.name, reason: String(error) }, 'A compaction could not be claimed');
      this.#pause(incarnation, PAUSE_AFTER_FAILURE_MS);
    } finally {
      this.#claiming.delete(incarnation);
    }
  }

  /** Upkeep fills vectors (C7), but only a stream that is written to would come to it. */
  #requestFill({ definition: { incarnation }, newestState: state }: LiveStream): void {
    if (state === null || state.nullVectors === 0) {
      this.#fills.delete(incarnation);
      return;
    }
    const nowMs = this.#clock.nowMs();
    const fill = this.#fills.get(incarnation);
    if (fill !== undefined && nowMs < fill.nextMs) return;
    const isIdle = fill !== undefined && fill.nullVectors <= state.nullVectors;
    const everyMs = isIdle ? Math.min(fill.everyMs * 2, MAX_FILL_EVERY_MS) : FILL_EVERY_MS;
    this.#fills.set(incarnation, { nullVectors: state.nullVectors, everyMs, nextMs: nowMs + everyMs });
    if (fill !== undefined) this.#submit(incarnation, state.logSeq).catch(() => {});
  }

  /** Records expire also in a stream that is not written to: upkeep takes them out. */
  #requestExpiry({ definition, newestState: state }: LiveStream): void {
    const everyMs = expiryEveryMs(definition);
    if (state === null || everyMs === null || state.rowCount + state.changeCount === 0) return;
    const { incarnation } = definition;
    const nowMs = this.#clock.nowMs();
    const dueMs = this.#expiries.get(incarnation);
    if (dueMs !== undefined && nowMs < dueMs) return;
    this.#expiries.set(incarnation, nowMs + everyMs);
    if (dueMs !== undefined) this.#submit(incarnation, state.logSeq).catch(() => {});
  }

  async #run(incarnation: string, throughSegment: number, options: { full: boolean; caughtUp?: () => void }): Promise<void> {
    const stream = this.#streams.get(incarnation);
    if (!stream) return;
    // What a tail lacks, it cannot say where to begin from.
    this.#streams.requireReady();
    try {
      const firstSegment = stream.tail.firstSegment ?? throughSegment + 1;
      const order = { definition: stream.definition, firstSegment, throughSegment, full: options.full };
      this.#started('compaction', stream);
      await this.#takeOver(stream, await this.#runner.run({ ...order, part: 'rows' }), true);
      this.#pausedUntilMs.delete(incarnation);
      this.#lastFailure = null;
      options.caughtUp?.();
      this.#started('maintenance', stream);
      await this.#takeOver(stream, await this.#runner.run({ ...order, part: 'upkeep' }), false);
    } catch (error) {
      // What was committed may wait for an index that does not come now.
      await stream.advance().catch(() => {});
      this.#lastFailure = error instanceof Error ? error.message : String(error);
      this.#logger.warn({ stream: stream.definition.name, reason: this.#lastFailure }, 'Compaction failed');
      throw error;
    } finally {
      this.#running.delete(incarnation);
    }
  }

  /** A look at the states costs requests on an object store: none when the newest is what reads are served from already. */
  async #takeOver(stream: LiveStream, state: number | null, patient: boolean): Promise<void> {
    const known = stream.view?.state.n ?? null;
    if (!patient && state !== null && state > (stream.newestState?.n ?? 0)) {
      this.committed(stream.definition.incarnation);
      this.#onUpkeep(stream.definition.incarnation);
    }
    if (state === null || known === null || known < state) await stream.advance({ patient });
  }

  #started(kind: TableJob['kind'], { definition: { incarnation, name } }: LiveStream): void {
    this.#running.set(incarnation, { kind, name, startedAtMs: this.#clock.nowMs(), commits: 0 });
  }
}
