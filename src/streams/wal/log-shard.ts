import { AsyncLocalStorage } from 'node:async_hooks';
import { asTailwaterError, type Clock, type Logger, type Random, silentLogger, TailwaterError } from '../../base/index.ts';
import { type Journal, JournalReplica, type Proposal } from '../../journal/index.ts';
import type { AppendReceipt, AppendRequest, ControlRecord, Segment } from '../segment-types.ts';
import { Admission, effectiveControls, type Outcome } from './admission.ts';
import { measureAppend } from './append-limits.ts';
import { AppendQueue, type Waiting, type WaitingAppend, type WaitingControl } from './append-queue.ts';
import { logMachine } from './log-machine.ts';
import { LogSizes } from './log-sizes.ts';
import type { LogState } from './log-state.ts';
import { decodeSegment, readSegmentSummary } from './segment.ts';
import { SegmentBuilder } from './segment-builder.ts';

export interface LogShardOptions {
  journal: Journal;
  shard: number;
  clock: Clock;
  random: Random;
  logger?: Logger;
  /** How long a group gathers before it is committed (J8); default 0, for a folder. */
  lingerMs?: number;
  /** How long a group gathers at most while appends come fast enough to fill it: fewer, larger segments under load. Default `lingerMs`. */
  maxLingerMs?: number;
  /** Default 8 MiB. */
  maxSegmentBytes?: number;
  /** Appends that wait beyond this are refused with TW_BUSY; default 64 MiB. */
  maxQueuedBytes?: number;
  /** Own commits between checkpoints; default 10,000 without linger, as on a folder, where segments come and are read fast; else 1,000. */
  checkpointEverySegments?: number;
}

/** Where control records took effect. */
export interface ControlReceipt {
  seq: number;
  commitTimeMs: number;
}

type SegmentListener = (segment: Segment) => void;

const MIB = 1024 * 1024;
/** A group that lingers is looked at so many times within `lingerMs`. */
const LINGER_LOOKS = 4;
/** It goes on gathering while it grew by this share of a segment since the last look. */
const FAST_SHARE = 1 / 32;

/**
 * One log shard: appends of many streams, committed in groups as segments of a journal (J8). Any number of writers may share it (J3).
 * Acknowledged means durable, and seen by every listener of this process.
 */
export class LogShard {
  readonly shard: number;
  readonly #journal: Journal;
  readonly #replica: JournalReplica<LogState>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #lingerMs: number;
  readonly #maxLingerMs: number;
  readonly #maxSegmentBytes: number;
  readonly #queue: AppendQueue;
  readonly #builder: SegmentBuilder;
  readonly #listeners = new Set<SegmentListener>();
  readonly #sizes = new LogSizes();
  readonly #counts = {
    segments: 0,
    records: 0,
    bytes: 0,
    appends: 0,
    duplicates: 0,
    refused: 0,
    failedCommits: 0,
    listenerErrors: 0,
  };
  /** A commit is of many appends, so it belongs to the trace of none. */
  readonly #apart = AsyncLocalStorage.snapshot();
  #pump: Promise<void> | null = null;
  #endLinger: (() => void) | null = null;
  #closed = false;

  private constructor(options: LogShardOptions, replica: JournalReplica<LogState>) {
    this.shard = options.shard;
    this.#journal = options.journal;
    this.#replica = replica;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.#lingerMs = options.lingerMs ?? 0;
    this.#maxLingerMs = options.maxLingerMs ?? this.#lingerMs;
    this.#maxSegmentBytes = options.maxSegmentBytes ?? 8 * MIB;
    this.#queue = new AppendQueue(options.maxQueuedBytes ?? 64 * MIB, this.#maxSegmentBytes);
    this.#builder = new SegmentBuilder(options.shard, options.clock, options.random);
    replica.onApplied((seq, bytes, own) => this.#publish(seq, bytes, own));
  }

  /** Recovers the state from the newest checkpoint and the segments after it. TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
  static async open(options: LogShardOptions): Promise<LogShard> {
    const checkpointEvery = options.checkpointEverySegments ?? ((options.lingerMs ?? 0) === 0 ? 10_000 : 1_000);
    return new LogShard(options, await JournalReplica.open(options.journal, logMachine(options.shard), { checkpointEvery }));
  }

  /** The last applied segment; 0 before any. */
  get seq(): number {
    return this.#replica.seq;
  }

  /** Commit time of the last applied segment; 0 before any. */
  get commitTimeMs(): number {
    return this.#replica.state.commitTimeMs;
  }

  /** The next offset of each partition, or undefined when there is no such live stream. */
  nextOffsets(incarnation: string): number[] | undefined {
    return this.#replica.state.streams.get(incarnation)?.slice();
  }

  /** The incarnations of all live streams. */
  incarnations(): string[] {
    return [...this.#replica.state.streams.keys()];
  }

  /**
   * Resolves once the records are durable. TW_BUSY (nothing written), TW_BODY_TOO_LARGE, TW_BAD_REQUEST, TW_STREAM_NOT_FOUND,
   * TW_IDEMPOTENCY_MISMATCH, TW_VERSION_MISMATCH, TW_PRODUCER_FENCED, TW_OUT_OF_ORDER_SEQUENCE, TW_OUTCOME_UNKNOWN, TW_SHARD_STOPPED, TW_STORAGE_FULL, TW_CLOSED.
   */
  append(request: AppendRequest): Promise<AppendReceipt> {
    this.#counts.appends++;
    return new Promise((resolve, reject) => {
      const size = measureAppend(request, this.#maxSegmentBytes);
      this.#enqueue({ kind: 'append', request, refusedOnce: false, records: size.records, bytes: size.bytes, resolve, reject });
    });
  }

  /**
   * Commits control records. Those that change nothing (creating what lives, deleting what does not) are left out, and so are creations
   * when a stream was deleted in a segment above `decidedAtSeq`: whoever wants them decides again. Default: the last applied segment.
   */
  control(controls: readonly ControlRecord[], decidedAtSeq = this.seq): Promise<ControlReceipt> {
    const bytes = JSON.stringify(controls).length;
    return new Promise((resolve, reject) => {
      this.#enqueue({ kind: 'control', controls, decidedAtSeq, records: 0, bytes, resolve, reject });
    });
  }

  /** Applies what other writers appended: a strong read (J5). */
  async refresh(): Promise<void> {
    await this.#replica.refresh();
  }

  /** Every applied segment, in order, synchronously, before its appends are acknowledged. Returns how to stop. */
  onSegment(listener: SegmentListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Told when this process had fallen behind the floor: segments (fromSeq, toSeq] never reach its listeners. Returns how to stop. */
  onReloaded(listener: (fromSeq: number, toSeq: number) => void): () => void {
    return this.#replica.onReloaded(listener);
  }

  async checkpoint(): Promise<void> {
    await this.#replica.checkpoint();
  }

  /** The lowest segment that is kept. */
  floor(): Promise<number> {
    return this.#journal.floor();
  }

  /** Gives up the segments up to this one: checkpoint, then floor (J4, J6). Nothing is deleted before `collect`. */
  async markFloor(throughSeq: number): Promise<void> {
    if (throughSeq > this.seq) {
      throw new TailwaterError('TW_BAD_REQUEST', { detail: `Segment ${throughSeq} is beyond the head of the log, ${this.seq}.` });
    }
    await this.#replica.checkpoint();
    await this.#journal.raiseFloor(throughSeq + 1);
  }

  /** Deletes what is below the floor. */
  async collect(): Promise<void> {
    await this.#journal.collect();
  }

  /** `markFloor` and `collect` at once: nobody reads those segments any more. */
  async raiseFloor(throughSeq: number): Promise<void> {
    await this.markFloor(throughSeq);
    await this.collect();
  }

  /** The first kept segment that was committed after the time; `seq + 1` when none was. */
  async firstCommittedAfter(timeMs: number): Promise<number> {
    let low = (await this.#journal.floor()) - 1;
    let high = this.seq + 1;
    while (high - low > 1) {
      const middle = low + Math.floor((high - low) / 2);
      const bytes = await this.#journal.read(middle);
      // Null: collected since the floor was read, so older than what is looked for.
      if (bytes === null || readSegmentSummary(bytes).commitTimeMs <= timeMs) low = middle;
      else high = middle;
    }
    return high;
  }

  /** How many bytes are in segments above this one, as far as this process saw them: never too many. */
  bytesAfter(seq: number): number {
    return this.#sizes.bytesAfter(seq);
  }

  /** The highest segment that is certainly followed by so many bytes; 0 when none is known to be. */
  lastFollowedBy(bytes: number): number {
    return this.#sizes.lastFollowedBy(bytes);
  }

  stats(): Record<string, number> {
    const { streams, idempotency, producers } = this.#replica.state;
    const queue = { queuedAppends: this.#queue.length, queuedBytes: this.#queue.bytes };
    return {
      ...this.#counts,
      ...queue,
      seq: this.seq,
      streams: streams.size,
      idempotencyKeys: idempotency.size,
      producers: producers.size,
    };
  }

  /** Commits what waits already and refuses what comes after with TW_CLOSED. The journal stays open: who opened it closes it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#endLinger?.();
    await this.#pump;
    try {
      await this.#replica.checkpoint();
    } catch (error) {
      this.#logger.warn({ shard: this.shard, err: error }, 'The log closes without a checkpoint; the next start takes longer.');
    }
    await this.#replica.close();
  }

  #enqueue(waiting: Waiting): void {
    try {
      if (this.#closed) throw new TailwaterError('TW_CLOSED');
      this.#queue.push(waiting);
    } catch (error) {
      this.#counts.refused++;
      waiting.reject(error);
      return;
    }
    if (this.#queue.hasFullGroup) this.#endLinger?.();
    this.#pump ??= this.#apart(() => this.#run());
  }

  /** One commit at a time; what arrives meanwhile gathers into the next one. */
  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#queue.length > 0) {
      await this.#linger();
      await this.#commit(this.#queue.takeGroup());
    }
    this.#pump = null;
  }

  async #linger(): Promise<void> {
    if (this.#lingerMs === 0 || this.#isLingerOver()) return;
    if (this.#maxLingerMs <= this.#lingerMs) return this.#gather(this.#lingerMs);
    const stepMs = this.#lingerMs / LINGER_LOOKS;
    for (let waitedMs = stepMs; ; waitedMs += stepMs) {
      const before = this.#queue.bytes;
      await this.#gather(stepMs);
      const isFast = this.#queue.bytes - before >= this.#maxSegmentBytes * FAST_SHARE;
      if (this.#isLingerOver() || waitedMs >= this.#maxLingerMs || (waitedMs >= this.#lingerMs && !isFast)) return;
    }
  }

  #isLingerOver(): boolean {
    return this.#queue.hasFullGroup || this.#closed;
  }

  async #gather(ms: number): Promise<void> {
    const stop = new AbortController();
    this.#endLinger = () => stop.abort();
    // Unlike a timer it keeps the process alive: someone waits for the commit.
    await this.#clock.sleep(ms, stop.signal).catch(() => {});
    this.#endLinger = null;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      if (group.some(waiting => waiting.kind === 'control' || waiting.refusedOnce)) await this.#replica.refresh();
      const [first] = group;
      if (first.kind === 'control')
        first.resolve(await this.#replica.propose((state, seq) => this.#buildControl(first, state, seq)));
      else {
        const appends = group as readonly WaitingAppend[];
        this.#settle(appends, await this.#replica.propose((state, seq) => this.#buildAppends(appends, state, seq)));
      }
    } catch (error) {
      this.#counts.failedCommits++;
      for (const waiting of group) waiting.reject(asTailwaterError(error));
    } finally {
      this.#builder.forget();
    }
  }

  #buildControl({ controls, decidedAtSeq }: WaitingControl, state: LogState, seq: number): Proposal<ControlReceipt> {
    const effective = effectiveControls(state, controls, decidedAtSeq);
    if (effective.length === 0) return { kind: 'done', result: { seq: state.seq, commitTimeMs: state.commitTimeMs } };
    const commitTimeMs = this.#builder.commitTimeAfter(state);
    return this.#builder.controls(seq, commitTimeMs, effective, { seq, commitTimeMs });
  }

  #buildAppends(appends: readonly WaitingAppend[], state: LogState, seq: number): Proposal<Outcome[]> {
    const commitTimeMs = this.#builder.commitTimeAfter(state);
    const admission = new Admission(state, seq, commitTimeMs);
    const outcomes = appends.map(waiting => admission.admit(waiting.request));
    return admission.isEmpty ? { kind: 'done', result: outcomes } : this.#builder.appends(seq, commitTimeMs, admission, outcomes);
  }

  /** A first refusal may come from a state that lacks other writers' entries: it is judged again after a strong read. */
  #settle(appends: readonly WaitingAppend[], outcomes: readonly Outcome[]): void {
    for (const [index, outcome] of outcomes.entries()) {
      const waiting = appends[index];
      if ('receipt' in outcome) {
        if (outcome.receipt.duplicate) this.#counts.duplicates++;
        waiting.resolve(outcome.receipt);
      } else if (waiting.refusedOnce) {
        this.#counts.refused++;
        waiting.reject(outcome.refused);
      } else this.#queue.putBack({ ...waiting, refusedOnce: true });
    }
  }

  #publish(seq: number, bytes: Uint8Array, own: boolean): void {
    this.#sizes.add(seq, bytes.length);
    const made = own ? this.#builder.attemptFor(seq) : null;
    if (own) this.#count(bytes, made);
    if (this.#listeners.size === 0) return;
    const segment = made ?? decodeSegment(bytes);
    for (const listener of this.#listeners) {
      try {
        listener(segment);
      } catch (error) {
        this.#counts.listenerErrors++;
        this.#logger.error({ shard: this.shard, seq, err: error }, 'A listener of the log failed; its segment is durable.');
      }
    }
  }

  #count(bytes: Uint8Array, made: Segment | null): void {
    this.#counts.segments++;
    this.#counts.bytes += bytes.length;
    for (const { batch } of made?.batches ?? []) this.#counts.records += batch.count;
  }
}
