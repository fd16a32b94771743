import type { Clock, Timer } from '../../src/base/index.ts';

interface PendingTimer {
  dueMs: number;
  order: number;
  run: () => void;
}

/** 2026-01-01T00:00:00Z: a start that is obviously not now. */
const START_MS = 1_767_225_600_000;

/**
 * Time that passes only when a test says so. Timers run in order of their due time, then of their creation, and everything a
 * timer woke (promises, microtasks) runs before the next timer does: one program, one order of events.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #created = 0;
  readonly #timers: PendingTimer[] = [];

  constructor(startMs: number = START_MS) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** How many timers wait. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  after(ms: number, run: () => void): Timer {
    const timer: PendingTimer = { dueMs: this.#nowMs + Math.max(0, ms), order: this.#created++, run };
    const at = this.#timers.findIndex(other => other.dueMs > timer.dueMs);
    this.#timers.splice(at < 0 ? this.#timers.length : at, 0, timer);
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer);
        if (index >= 0) this.#timers.splice(index, 1);
      },
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  turn(): Promise<void> {
    return Promise.resolve();
  }

  /** Lets `ms` pass: due timers run in order (those they start as well, when due within it), then everything they woke. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settleMicrotasks();
    while (this.#timers.length > 0 && this.#timers[0].dueMs <= untilMs) await this.#runNext();
    this.#nowMs = untilMs;
    await settleMicrotasks();
  }

  /** Lets exactly as much time pass as the promise needs, and returns its value; throws when nothing is left that could settle it. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    for (;;) {
      await settleMicrotasks();
      if (settled) return promise;
      if (this.#timers.length === 0) throw new Error('Nothing is left that could settle this promise: a deadlock, or real I/O.');
      await this.#runNext();
    }
  }

  async #runNext(): Promise<void> {
    const timer = this.#timers.shift();
    if (!timer) return;
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.run();
    await settleMicrotasks();
  }
}

/** What `Clock.sleep` owes, over timers. */
export function sleepOn(timers: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = timers.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Resolves when no microtask is left: setImmediate runs only after all of them. */
function settleMicrotasks(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve);
  });
}
