export interface CompactionRequest {
  incarnation: string;
  throughSegment: number;
}

/**
 * The port for asking for compactions. Per stream one job runs and at most one waits; higher priorities (0 to 1,000) come first; TW_COMPACTION_FAILED is
 * tried again with backoff. What is deliberately not in it: exactly once. A job may run twice, also at the same time (C3).
 */
export interface CompactionRequests {
  /** Resolves when the table holds every segment up to `throughSegment`. Default priority 0. Throws what the job failed with, TW_CLOSED. */
  request(incarnation: string, throughSegment: number, priority?: number): Promise<void>;
  stats(): Record<string, number>;
  /** Lets what runs here finish; what waits fails with TW_CLOSED. */
  close(): Promise<void>;
}

/** The most urgent priority: someone waits for it. */
export const MAX_PRIORITY = 1000;

/** One stream's turn: everyone who asked for it shares `done`. */
export class CompactionJob {
  readonly incarnation: string;
  readonly done: Promise<void>;
  throughSegment: number;
  priority: number;
  attempts = 0;
  /** Not run before this time: it failed, and backs off. */
  notBeforeMs = 0;
  readonly #order: number;
  readonly #settle: PromiseWithResolvers<void>;

  constructor(request: CompactionRequest, priority: number, order: number) {
    this.incarnation = request.incarnation;
    this.throughSegment = request.throughSegment;
    this.priority = priority;
    this.#order = order;
    this.#settle = Promise.withResolvers<void>();
    this.done = this.#settle.promise;
    // Triggers do not wait for their job: its failure is in the log and in the counts, not an unhandled rejection.
    this.done.catch(() => {});
  }

  extend(throughSegment: number, priority: number): void {
    this.throughSegment = Math.max(this.throughSegment, throughSegment);
    this.priority = Math.max(this.priority, priority);
  }

  comesBefore(other: CompactionJob): boolean {
    return this.priority === other.priority ? this.#order < other.#order : this.priority > other.priority;
  }

  /** Hands over to a job that covers this one, with its urgency and its backoff. */
  follow(other: CompactionJob): void {
    other.extend(this.throughSegment, this.priority);
    other.attempts = Math.max(other.attempts, this.attempts);
    other.notBeforeMs = Math.max(other.notBeforeMs, this.notBeforeMs);
    this.#settle.resolve(other.done);
  }

  succeed(): void {
    this.#settle.resolve();
  }

  fail(error: unknown): void {
    this.#settle.reject(error);
  }
}
