export interface CompactionRequest {
  incarnation: string;
  throughSegment: number;
}

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
