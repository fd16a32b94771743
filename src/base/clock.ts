import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises';

/** A pending timer that can be called off. */
export interface Timer {
  cancel(): void;
}

/** The port for time: everything that waits or asks the time does it through here, so that tests own time. */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds since some moment, on a clock that nobody sets; it may stand still while the machine sleeps. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves after everything else that is ready has had its turn: for work that never waits and must not starve others. */
  turn(): Promise<void>;
  /** Calls `run` once after `ms`. Does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {});
  },
  turn: () => immediate(),
  after: (ms, run) => {
    const handle = setTimeout(run, ms);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
