import { type Clock, isTailwaterError, type Random, TailwaterError, type Timer } from '../../base/index.ts';
import { CompactionJob, type CompactionRequest, type CompactionRequests } from './job.ts';

export interface CompactionQueueOptions {
  clock: Clock;
  random: Random;
  /**
   * Does the work; called with one job of a stream at a time. `caughtUp` answers those who wait as soon as the rows are in the table; what
   * follows, such as index upkeep, still keeps the stream's next job waiting.
   */
  run: (request: CompactionRequest, caughtUp: () => void) => Promise<void>;
  /** Jobs that run side by side; default 1. */
  maxConcurrent?: number;
  /** Streams that may wait; default 10,000. Beyond it a request is TW_BUSY. */
  maxQueued?: number;
  /** Runs of one job before its failure is reported; default 5. */
  maxAttempts?: number;
  /** Wait after the first failure; doubles each time, with jitter, up to a minute. Default 200 ms. */
  baseDelayMs?: number;
}

const MAX_DELAY_MS = 60_000;

/**
 * Runs compactions in the process: per stream one job runs and at most one waits; requests for a stream join the job that
 * covers them. Higher priorities first, then first come, first served. TW_COMPACTION_FAILED is tried again with backoff.
 */
export class CompactionQueue implements CompactionRequests {
  readonly #options: Required<CompactionQueueOptions>;
  readonly #waiting = new Map<string, CompactionJob>();
  readonly #running = new Map<string, CompactionJob>();
  readonly #executions = new Set<Promise<void>>();
  readonly #counts = { completed: 0, failed: 0, retried: 0, coalesced: 0 };
  #wakeUp: Timer | null = null;
  #order = 0;
  #closed = false;

  constructor(options: CompactionQueueOptions) {
    this.#options = { maxConcurrent: 1, maxQueued: 10_000, maxAttempts: 5, baseDelayMs: 200, ...options };
  }

  /**
   * Resolves when the table holds every segment up to `throughSegment`. Default priority 0. Throws what the job failed with,
   * TW_BUSY when too many streams wait, TW_CLOSED.
   */
  request(incarnation: string, throughSegment: number, priority = 0): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    const running = this.#running.get(incarnation);
    if (running && running.throughSegment >= throughSegment) return this.#join(running);
    const waiting = this.#waiting.get(incarnation);
    if (waiting) {
      waiting.extend(throughSegment, priority);
      return this.#join(waiting);
    }
    if (this.#waiting.size >= this.#options.maxQueued) return Promise.reject(busy(this.#waiting.size));
    const job = new CompactionJob({ incarnation, throughSegment }, priority, this.#order++);
    this.#waiting.set(incarnation, job);
    this.#pump();
    return job.done;
  }

  stats(): Record<string, number> {
    return { running: this.#running.size, waiting: this.#waiting.size, ...this.#counts };
  }

  /** Lets what runs finish; what waits fails with TW_CLOSED. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeUp?.cancel();
    for (const job of this.#waiting.values()) job.fail(closed());
    this.#waiting.clear();
    await Promise.allSettled(this.#executions);
  }

  #join(job: CompactionJob): Promise<void> {
    this.#counts.coalesced++;
    return job.done;
  }

  #pump(): void {
    this.#wakeUp?.cancel();
    this.#wakeUp = null;
    const nowMs = this.#options.clock.nowMs();
    while (this.#running.size < this.#options.maxConcurrent) {
      const job = this.#next(nowMs);
      if (job === null) break;
      this.#waiting.delete(job.incarnation);
      this.#running.set(job.incarnation, job);
      const execution = this.#execute(job).finally(() => this.#executions.delete(execution));
      this.#executions.add(execution);
    }
    this.#wakeLater(nowMs);
  }

  /** The most urgent job whose stream does not run already and whose backoff is over. */
  #next(nowMs: number): CompactionJob | null {
    let best: CompactionJob | null = null;
    for (const job of this.#waiting.values()) {
      if (job.notBeforeMs > nowMs || this.#running.has(job.incarnation)) continue;
      if (best === null || job.comesBefore(best)) best = job;
    }
    return best;
  }

  #wakeLater(nowMs: number): void {
    let earliest = Number.POSITIVE_INFINITY;
    for (const job of this.#waiting.values()) {
      if (job.notBeforeMs > nowMs) earliest = Math.min(earliest, job.notBeforeMs);
    }
    if (earliest !== Number.POSITIVE_INFINITY && !this.#closed) {
      this.#wakeUp = this.#options.clock.after(earliest - nowMs, () => this.#pump());
    }
  }

  async #execute(job: CompactionJob): Promise<void> {
    try {
      const { incarnation, throughSegment } = job;
      await this.#options.run({ incarnation, throughSegment }, () => job.succeed());
      this.#counts.completed++;
      job.succeed();
    } catch (error) {
      this.#settleFailure(job, error);
    } finally {
      this.#running.delete(job.incarnation);
      if (!this.#closed) this.#pump();
    }
  }

  #settleFailure(job: CompactionJob, error: unknown): void {
    job.attempts++;
    const again = isTailwaterError(error, 'TW_COMPACTION_FAILED') && job.attempts < this.#options.maxAttempts && !this.#closed;
    if (!again) {
      this.#counts.failed++;
      job.fail(error);
      return;
    }
    this.#counts.retried++;
    job.notBeforeMs = this.#options.clock.nowMs() + this.#delay(job.attempts);
    const waiting = this.#waiting.get(job.incarnation);
    // A request beyond this job waits already: it covers this job as well.
    if (waiting) job.follow(waiting);
    else this.#waiting.set(job.incarnation, job);
  }

  #delay(attempts: number): number {
    const { baseDelayMs, random } = this.#options;
    return Math.min(MAX_DELAY_MS, baseDelayMs * 2 ** (attempts - 1)) * (0.5 + random.float());
  }
}

function busy(streams: number): TailwaterError {
  return new TailwaterError('TW_BUSY', { detail: `${streams} streams wait for compaction.`, retryAfterMs: 1000 });
}

function closed(): TailwaterError {
  return new TailwaterError('TW_CLOSED', { detail: 'The compaction queue is closed.' });
}
