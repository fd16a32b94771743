import type { Clock, Logger, Timer } from '../base/index.ts';
import { CompactionQueue, compactionDue } from '../lakehouse/index.ts';
import type { LiveStream, LiveStreams } from '../snapshot/index.ts';
import type { CompactionRunner } from './compaction-process.ts';
import type { EngineSettings } from './settings.ts';

const CHECK_EVERY_MS = 250;
/** Someone waits for it. */
const URGENT = 1;

/** Keeps the tails small: asks for compactions when they are due, and lets streams take over what was committed. */
export class Compactions {
  readonly #streams: LiveStreams;
  readonly #runner: CompactionRunner;
  readonly #queue: CompactionQueue;
  readonly #settings: EngineSettings['compaction'];
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | null = null;
  #lastFailure: string | null = null;

  constructor(streams: LiveStreams, runner: CompactionRunner, settings: EngineSettings) {
    this.#streams = streams;
    this.#runner = runner;
    this.#settings = settings.compaction;
    this.#clock = settings.clock;
    this.#logger = settings.logger;
    this.#queue = new CompactionQueue({
      clock: settings.clock,
      random: settings.random,
      run: job => this.#run(job.incarnation, job.throughSegment, false),
    });
    if (this.#settings.auto) this.#watch();
  }

  /** What the last failed compaction said; null after a success. */
  get lastFailure(): string | null {
    return this.#lastFailure;
  }

  stats(): Record<string, number> {
    return this.#queue.stats();
  }

  /** Resolves when the stream's table holds everything through the segment. */
  async compact(stream: LiveStream, throughSegment: number, full: boolean): Promise<void> {
    const { incarnation } = stream.definition;
    await this.#queue.request(incarnation, throughSegment, URGENT);
    if (full) await this.#run(incarnation, throughSegment, true);
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#queue.close();
    await this.#runner.close();
  }

  #watch(): void {
    this.#timer = this.#clock.after(CHECK_EVERY_MS, () => {
      for (const stream of this.#streams.all()) this.#requestIfDue(stream);
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
      this.#queue.request(stream.definition.incarnation, shard.seq).catch(() => {});
    }
  }

  #requestIfDue(stream: LiveStream): void {
    const oldest = stream.tail.firstSegment;
    if (oldest === null) return;
    const oldestAtMs = this.#streams.commitTimes.timeOf(oldest) ?? this.#clock.nowMs();
    const tail = { rows: stream.tail.rows, bytes: stream.tail.bytes, oldestAgeMs: this.#clock.nowMs() - oldestAtMs };
    if (!compactionDue(tail, this.#settings)) return;
    this.#queue.request(stream.definition.incarnation, this.#streams.shard.seq).catch(() => {});
  }

  async #run(incarnation: string, throughSegment: number, full: boolean): Promise<void> {
    const stream = this.#streams.get(incarnation);
    if (!stream) return;
    try {
      const firstSegment = stream.tail.firstSegment ?? throughSegment + 1;
      await this.#runner.run({ definition: stream.definition, firstSegment, throughSegment, full });
      await stream.advance();
      this.#lastFailure = null;
    } catch (error) {
      this.#lastFailure = error instanceof Error ? error.message : String(error);
      this.#logger.warn({ stream: stream.definition.name, reason: this.#lastFailure }, 'Compaction failed');
      throw error;
    }
  }
}
