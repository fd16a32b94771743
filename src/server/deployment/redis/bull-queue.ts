import { type Job, Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq';
import { type Clock, isTailwaterError, TailwaterError, type Timer } from '../../../base/index.ts';
import { type CompactionRequest, type CompactionRequests, MAX_PRIORITY } from '../../../lakehouse/index.ts';
import { failureText, parseFailure } from './job-failure.ts';
import type { RedisLink } from './redis-link.ts';

export interface BullQueueOptions {
  link: RedisLink;
  clock: Clock;
  /** As of CompactionQueue; called for jobs of any node. */
  run: (request: CompactionRequest, caughtUp: () => void) => Promise<void>;
  /** Jobs that run side by side in this node; default 1. */
  maxConcurrent?: number;
  /** Runs of one job before its failure is reported; default 5. */
  maxAttempts?: number;
  /** Wait after the first failure; doubles each time, with jitter. Default 200 ms. */
  baseDelayMs?: number;
  /** A job whose worker does not renew its lock for so long is given to another. Default 15,000 ms. */
  lockMs?: number;
}

/** Longer than any blocking read of BullMQ (10 s): what is silent for longer is gone. */
const SILENCE_MS = 20_000;
/** Jobs that someone waits for are looked for so often: an emptied Redis has forgotten them, and tells nobody. */
const SWEEP_EVERY_MS = 5000;
const CLOSE_TIMEOUT_MS = 5000;
const MAX_STALLS = 5;
/** Of the events by which nodes learn that a job ended. */
const KEPT_EVENTS = 1000;

interface Waiter extends CompactionRequest {
  priority: number;
  settle: PromiseWithResolvers<void>;
}

/**
 * Compactions of a deployment by BullMQ: a stream's job has the stream life as its id, so that there is one, whoever asks. Any node with `work` runs
 * it. A request is answered by a job that covers it: when one ends that does not, it is asked for again. TW_QUEUE_UNAVAILABLE as soon as Redis is lost.
 */
export class BullQueue implements CompactionRequests {
  readonly #options: Required<BullQueueOptions>;
  #queue: Queue<CompactionRequest>;
  readonly #worker: Worker<CompactionRequest, number>;
  readonly #events: QueueEvents;
  readonly #waiters = new Set<Waiter>();
  readonly #executions = new Set<Promise<number>>();
  readonly #counts = { completed: 0, failed: 0, retried: 0, lost: 0, stalled: 0 };
  readonly #stopListening: () => void;
  #timer: Timer | null = null;
  #closed = false;
  #isQueueBroken = false;

  constructor(options: BullQueueOptions) {
    this.#options = { maxConcurrent: 1, maxAttempts: 5, baseDelayMs: 200, lockMs: 15_000, ...options };
    const { link, lockMs, maxConcurrent } = this.#options;
    const { prefix } = link;
    this.#queue = this.#openQueue();
    this.#events = new QueueEvents('compaction', { connection: link.open({ socketTimeout: SILENCE_MS }), prefix });
    this.#worker = new Worker('compaction', job => this.#execute(job), {
      connection: link.open({ socketTimeout: SILENCE_MS }),
      prefix,
      concurrency: maxConcurrent,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      maxStalledCount: MAX_STALLS,
    });
    const failed = (error: Error): void => link.failed(error);
    this.#events.on('error', failed);
    this.#worker.on('error', failed);
    this.#worker.on('stalled', () => this.#counts.stalled++);
    this.#listen();
    this.#stopListening = link.onDown(() => this.#fail(unavailable()));
    this.#sweepLater();
  }

  /** Whether requests can be made. */
  get isReady(): boolean {
    return this.#options.link.isReady && !this.#closed;
  }

  async request(incarnation: string, throughSegment: number, priority = 0): Promise<void> {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    if (!this.isReady) throw unavailable();
    const waiter: Waiter = { incarnation, throughSegment, priority, settle: Promise.withResolvers<void>() };
    this.#waiters.add(waiter);
    void this.#add(waiter);
    await waiter.settle.promise;
  }

  stats(): Record<string, number> {
    return { running: this.#executions.size, waiting: this.#waiters.size, ...this.#counts };
  }

  async close(): Promise<void> {
    const wasReady = this.isReady;
    this.#closed = true;
    this.#timer?.cancel();
    this.#stopListening();
    this.#fail(new TailwaterError('TW_CLOSED'));
    // No new job; and what runs says in Redis how it ended, if there is one.
    const closing = Promise.allSettled([this.#worker.close(!wasReady), this.#events.close(), this.#queue.close()]);
    await Promise.allSettled(this.#executions);
    const { promise: tooLong, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(CLOSE_TIMEOUT_MS, resolve);
    await Promise.race([closing, tooLong]);
    timer.cancel();
  }

  /** One whose first commands failed, such as when Redis went away just then, is of no use ever after. */
  #openQueue(): Queue<CompactionRequest> {
    const { link } = this.#options;
    const streams = { events: { maxLen: KEPT_EVENTS } };
    const queue = new Queue<CompactionRequest>('compaction', { connection: link.client, prefix: link.prefix, streams });
    queue.on('error', error => link.failed(error));
    queue.waitUntilReady().catch(() => {
      this.#isQueueBroken = true;
    });
    return queue;
  }

  async #add({ incarnation, throughSegment, priority, settle }: Waiter): Promise<void> {
    const { maxAttempts, baseDelayMs } = this.#options;
    const urgency = { priority: MAX_PRIORITY - Math.min(MAX_PRIORITY, priority) + 1 };
    if (this.#isQueueBroken) {
      this.#isQueueBroken = false;
      this.#queue = this.#openQueue();
    }
    try {
      await this.#queue.add(
        'compaction',
        { incarnation, throughSegment },
        {
          ...urgency,
          jobId: idOf(incarnation),
          attempts: maxAttempts,
          backoff: { type: 'exponential', delay: baseDelayMs, jitter: 0.5 },
          removeOnComplete: true,
          removeOnFail: true,
        },
      );
      await this.#extend(incarnation, throughSegment, urgency.priority);
    } catch (error) {
      this.#options.link.failed(error);
      settle.reject(unavailable());
      this.#forget(candidate => candidate.settle === settle);
    }
  }

  /** A job that was there already takes over what is asked of it. What a race undoes is asked for again at its end. */
  async #extend(incarnation: string, throughSegment: number, priority: number): Promise<void> {
    const job = await this.#queue.getJob(idOf(incarnation));
    if (job === undefined || job.data.throughSegment > throughSegment) return;
    const tolerate = (): void => {};
    if (job.data.throughSegment < throughSegment) await job.updateData({ incarnation, throughSegment }).catch(tolerate);
    if (job.priority > priority) await job.changePriority({ priority }).catch(tolerate);
  }

  #execute(job: Job<CompactionRequest, number>): Promise<number> {
    const execution = this.#run(job).finally(() => this.#executions.delete(execution));
    this.#executions.add(execution);
    return execution;
  }

  async #run(job: Job<CompactionRequest, number>): Promise<number> {
    const { incarnation, throughSegment } = job.data;
    const caughtUp = (): void => {
      job.updateProgress(throughSegment).catch(error => this.#options.link.failed(error));
    };
    try {
      await this.#options.run({ incarnation, throughSegment }, caughtUp);
      this.#counts.completed++;
      return throughSegment;
    } catch (error) {
      const isLast = job.attemptsMade + 1 >= this.#options.maxAttempts;
      if (!isTailwaterError(error, 'TW_COMPACTION_FAILED') || isLast) this.#counts.failed++;
      else this.#counts.retried++;
      const text = failureText(error);
      throw isTailwaterError(error, 'TW_COMPACTION_FAILED') ? new Error(text) : new UnrecoverableError(text);
    }
  }

  #listen(): void {
    this.#events.on('progress', ({ jobId, data }) => this.#covered(streamOf(jobId), Number(data)));
    this.#events.on('completed', ({ jobId, returnvalue }) => {
      this.#covered(streamOf(jobId), Number(returnvalue));
      for (const waiter of this.#waiters) if (waiter.incarnation === streamOf(jobId)) void this.#add(waiter);
    });
    this.#events.on('failed', ({ jobId, failedReason }) => {
      this.#fail(parseFailure(failedReason), waiter => waiter.incarnation === streamOf(jobId));
    });
  }

  #covered(incarnation: string, throughSegment: number): void {
    const isCovered = (waiter: Waiter): boolean => waiter.incarnation === incarnation && waiter.throughSegment <= throughSegment;
    for (const waiter of this.#forget(isCovered)) waiter.settle.resolve();
  }

  #fail(error: TailwaterError, isMeant: (waiter: Waiter) => boolean = () => true): void {
    for (const waiter of this.#forget(isMeant)) waiter.settle.reject(error);
  }

  #forget(isMeant: (waiter: Waiter) => boolean): Waiter[] {
    const meant = [...this.#waiters].filter(isMeant);
    for (const waiter of meant) this.#waiters.delete(waiter);
    return meant;
  }

  #sweepLater(): void {
    this.#timer = this.#options.clock.after(SWEEP_EVERY_MS, async () => {
      for (const waiter of [...this.#waiters]) await this.#addIfLost(waiter);
      if (!this.#closed) this.#sweepLater();
    });
  }

  async #addIfLost(waiter: Waiter): Promise<void> {
    const job = await this.#queue.getJob(idOf(waiter.incarnation)).catch(() => null);
    if (job !== undefined || !this.#waiters.has(waiter)) return;
    this.#counts.lost++;
    await this.#add(waiter);
  }
}

/** BullMQ takes no id that is a number. */
function idOf(incarnation: string): string {
  return `s-${incarnation}`;
}

function streamOf(jobId: string): string {
  return jobId.slice(2);
}

function unavailable(): TailwaterError {
  return new TailwaterError('TW_QUEUE_UNAVAILABLE');
}
