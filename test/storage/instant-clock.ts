import type { Clock } from '../../src/base/index.ts';

/** Time passes only by sleeping, and then at once. */
export function instantClock(): Clock & { sleptMs: number[] } {
  const sleptMs: number[] = [];
  const sinceStartMs = (): number => sleptMs.reduce((sum, ms) => sum + ms, 0);
  return {
    sleptMs,
    turn: () => Promise.resolve(),
    nowMs: sinceStartMs,
    monotonicMs: sinceStartMs,
    sleep: async ms => {
      sleptMs.push(ms);
    },
    after: (_, run) => {
      run();
      return { cancel: () => {} };
    },
  };
}
