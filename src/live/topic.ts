import type { Clock } from '../base/index.ts';

export interface TopicOptions<T> {
  /** The answer now. */
  evaluate(): Promise<T>;
  /** Resolves when the answer may have become another one, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  isSame(one: T, other: T): boolean;
  clock: Clock;
  /** From the beginning of one evaluation to that of the next, at least. */
  minIntervalMs: number;
  /** How long after an evaluation the next is due although nothing came, for answers that time alone changes; null: never. */
  refreshMs: number | null;
}

/** An answer, and the one that this subscriber had before; null: none. */
export interface Update<T> {
  answer: T;
  before: T | null;
}

interface Known<T> {
  answer: T;
  /** From the version before: the same object for all who had that. */
  update: Update<T>;
  /** Rises when the answer becomes another one. */
  version: number;
}

/**
 * An answer that is kept up to date for all who want it: evaluated while there are subscribers, once for all of them, and never twice at a time. What
 * changes during an evaluation is in the next. A subscriber that is slow misses answers between, never the newest, and costs one reference.
 */
export class Topic<T> {
  readonly #options: TopicOptions<T>;
  readonly #waiters = new Set<() => void>();
  #known: Known<T> | null = null;
  #failure: { error: unknown } | null = null;
  #begun = 0;
  #ended = 0;
  #subscribers = 0;
  #isRunning = false;
  #poke: () => void = () => {};

  constructor(options: TopicOptions<T>) {
    this.#options = options;
  }

  get subscribers(): number {
    return this.#subscribers;
  }

  /** It has failed: whoever comes later needs another one. */
  get failed(): boolean {
    return this.#failure !== null;
  }

  /**
   * The answer of an evaluation that began after this call, where it is another one than `known`; then every one that differs from the one before. Throws
   * what evaluating throws.
   */
  async *subscribe(known: T | null, signal: AbortSignal): AsyncGenerator<Update<T>, void, undefined> {
    const needed = this.#begun + 1;
    let before = known;
    let version = -1;
    this.#enter();
    try {
      while (!signal.aborted) {
        if (this.#failure !== null) throw this.#failure.error;
        const latest = this.#ended >= needed ? this.#known : null;
        if (latest === null || latest.version === version) {
          await this.#next(signal);
          continue;
        }
        version = latest.version;
        const update = this.#updateFrom(before, latest);
        if (update === null) continue;
        yield update;
        before = update.answer;
      }
    } finally {
      this.#leave();
    }
  }

  /** Null: the answer is the same. */
  #updateFrom(before: T | null, { answer, update }: Known<T>): Update<T> | null {
    if (before !== null && update.before === before) return update;
    return before !== null && this.#options.isSame(before, answer) ? null : { answer, before };
  }

  #enter(): void {
    this.#subscribers++;
    if (this.#isRunning) this.#poke();
    else void this.#run();
  }

  #leave(): void {
    this.#subscribers--;
    if (this.#subscribers === 0) this.#poke();
  }

  /** One at a time, also when all leave and others come while an evaluation is under way. */
  async #run(): Promise<void> {
    const { clock, minIntervalMs, refreshMs } = this.#options;
    this.#isRunning = true;
    while (this.#subscribers > 0) {
      const wait = new AbortController();
      const poked = new Promise<void>(resolve => {
        this.#poke = resolve;
      });
      // Before the evaluation: what comes while it is under way is not in it.
      const changed = this.#options.changed(wait.signal);
      const startedMs = clock.monotonicMs();
      const isAlive = await this.#evaluate();
      const timer = refreshMs === null ? null : clock.after(refreshMs, () => this.#poke());
      if (isAlive) await Promise.race([changed, poked]);
      timer?.cancel();
      wait.abort();
      if (!isAlive) break;
      const leftMs = minIntervalMs - (clock.monotonicMs() - startedMs);
      if (leftMs > 0) await clock.sleep(leftMs);
    }
    this.#isRunning = false;
  }

  /** False: it failed, and so did the topic. */
  async #evaluate(): Promise<boolean> {
    const number = ++this.#begun;
    try {
      const answer = await this.#options.evaluate();
      const before = this.#known;
      if (before !== null && this.#options.isSame(before.answer, answer)) this.#known = { ...before, answer };
      else
        this.#known = { answer, update: { answer, before: before?.update.answer ?? null }, version: (before?.version ?? 0) + 1 };
      this.#ended = number;
    } catch (error) {
      this.#failure = { error };
    }
    for (const wake of [...this.#waiters]) wake();
    return this.#failure === null;
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
