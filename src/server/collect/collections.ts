import type { Clock, Logger } from '../../base/index.ts';
import type { ComponentStats } from '../metrics.ts';
import type { CollectOptions, Collector } from './collector.ts';
import type { CollectionReport } from './report.ts';

export interface CollectionsOptions {
  collector: Collector;
  /** Called before every run: streams whose tails keep the log are compacted, so that the next run gets further. */
  compactHolders(): void;
  clock: Clock;
  logger: Logger;
  /** Time from the end of a run to the next; null never runs by itself. */
  intervalMs: number | null;
  /** What changes when there may be something new to collect; a run while it stays the same is put off, up to `idleMs` after the last. */
  activity?: () => string;
  idleMs?: number;
}

/** Runs the collector now and then, and remembers what it did. */
export class Collections {
  readonly #options: CollectionsOptions;
  readonly #stop = new AbortController();
  readonly #sums = { runs: 0, failedRuns: 0, segments: 0, states: 0, objects: 0, bytes: 0, droppedStreams: 0, problems: 0 };
  #last: CollectionReport | null = null;
  #activityAtRun: string | null = null;
  #ranAtMs = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: CollectionsOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Runs now; shares nothing with the schedule but the turn. */
  run(options: Omit<CollectOptions, 'signal'>): Promise<CollectionReport> {
    const run = this.#run({ ...options, signal: this.#stop.signal });
    this.#running = run.catch(() => {});
    return run;
  }

  stats(): ComponentStats[] {
    const stats: ComponentStats[] = [{ component: 'collection', stats: { ...this.#sums } }];
    for (const { shard, floor, head, neededFromSeq, neededBy } of this.#last?.log ?? []) {
      const labels = { shard: String(shard), stream: neededBy ?? '' };
      stats.push({ component: 'log_floor', labels, stats: { floor, head, neededFromSegment: neededFromSeq } });
    }
    return stats;
  }

  /** Ends the wait of a run; what it marked, the next one deletes. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #schedule(): void {
    const { clock, intervalMs, logger } = this.#options;
    if (intervalMs === null || this.#stop.signal.aborted) return;
    clock.after(intervalMs, () => {
      if (this.#stop.signal.aborted) return;
      if (this.#isIdle()) return this.#schedule();
      this.run({})
        .catch(error => {
          if (!this.#stop.signal.aborted) logger.warn({ reason: String(error) }, 'Collection failed; it is tried again');
        })
        .then(() => this.#schedule());
    });
  }

  /** One run comes after the last change: what it marks or finds too young is for the next. */
  #isIdle(): boolean {
    const { activity, idleMs = 0, clock } = this.#options;
    const now = activity?.() ?? null;
    const isSame = now !== null && now === this.#activityAtRun;
    if (isSame && clock.nowMs() - this.#ranAtMs < idleMs) return true;
    this.#activityAtRun = now;
    this.#ranAtMs = clock.nowMs();
    return false;
  }

  async #run(options: CollectOptions): Promise<CollectionReport> {
    if (options.dryRun !== true) this.#options.compactHolders();
    try {
      const report = await this.#options.collector.run(options);
      if (!report.dryRun) this.#count(report);
      return report;
    } catch (error) {
      this.#sums.failedRuns++;
      throw error;
    }
  }

  #count(report: CollectionReport): void {
    const { log, states, statistics, vectors, dropped, others, problems } = report;
    this.#last = report;
    this.#sums.runs++;
    this.#sums.segments += log.reduce((sum, shard) => sum + shard.segments, 0);
    this.#sums.states += states;
    this.#sums.objects += statistics.objects + vectors.objects + dropped.objects + others.objects;
    this.#sums.bytes += statistics.bytes + vectors.bytes + dropped.bytes + others.bytes;
    this.#sums.droppedStreams += dropped.streams;
    this.#sums.problems += problems.length;
    if (this.#sums.segments + states > 0 || problems.length > 0) this.#options.logger.debug(report, 'Collected');
  }
}
