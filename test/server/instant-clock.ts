import type { Clock } from '../../src/base/index.ts';

/** Waits take no time, and are written down. */
export function instantClock(): Clock & { sleptMs: number[] } {
  const sleptMs: number[] = [];
  return {
    sleptMs,
    turn: () => Promise.resolve(),
    nowMs: () => 0,
    monotonicMs: () => 0,
    after: () => ({ cancel() {} }),
    sleep: async ms => {
      sleptMs.push(ms);
      await new Promise(resolve => setImmediate(resolve));
    },
  };
}
