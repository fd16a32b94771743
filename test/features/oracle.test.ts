import { describe, expect, test } from 'vitest';
import { runSeed } from './run-oracle.ts';

describe('features of a history', () => {
  test('equal a naive fold over all its events, whatever is late, repeated, updated, deleted, forgotten or restored', () => {
    const runs = Array.from({ length: 160 }, (_, index) => runSeed(1_000_000 + index));
    expect(runs.flatMap(run => run.differences)).toEqual([]);
    expect(runs.reduce((sum, run) => sum + run.queries, 0)).toBeGreaterThan(20_000);
  });
});
