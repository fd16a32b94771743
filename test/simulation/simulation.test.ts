/**
 * Whole nodes, of the real code, over an object store (or a folder's log) that loses, delays, repeats and fails, with crashes, pauses and
 * clocks that jump; every answer is compared with a sequential model. `npm run simulate` runs more; a failure prints its seed and a
 * short history that breaks the same promise.
 */
import { describe, expect, test } from 'vitest';
import { drawPlan } from './draw-plan.ts';
import { runPlan } from './run-plan.ts';
import { runSeedsInParallel, type SeedOutcome } from './seeds.ts';
import { shrink } from './shrink.ts';

const SEEDS = 500;
const OPERATIONS = 200;
const FIRST_SEED = 1;

describe('the simulation', () => {
  test(`keeps every promise in ${SEEDS} histories`, { timeout: 600_000 }, async () => {
    const outcomes: SeedOutcome[] = [];
    const chosen = process.env.TAILWATER_SEED;
    const first = chosen === undefined ? FIRST_SEED : Number(chosen);
    const end = chosen === undefined ? first + SEEDS : first + 1;
    const range = { first, end, step: 1, operations: OPERATIONS, shrink: true, stopAtFailure: true };
    await runSeedsInParallel(range, null, outcome => outcomes.push(outcome));
    expect(outcomes.map(outcome => outcome.report).filter(report => report !== null)).toEqual([]);
    expect(outcomes.length).toBe(end - first);
    // Histories in which nothing happens prove nothing.
    if (chosen === undefined) expect(outcomes.reduce((sum, outcome) => sum + outcome.states, 0)).toBeGreaterThan(SEEDS * 5);
  });

  test('is the same run for the same seed, event by event', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const [one, two] = [await runPlan(drawPlan(seed, OPERATIONS)), await runPlan(drawPlan(seed, OPERATIONS))];
      expect(two.trace).toEqual(one.trace);
    }
  });

  test('shrinks a history to what matters', async () => {
    const plan = drawPlan(2, 60);
    const impossible = { ...plan, streams: plan.streams.map(stream => ({ ...stream, name: `${stream.name}!` })) };
    const result = await runPlan(impossible);
    expect(result.failure?.promise).toBe('the simulation itself works');
    expect((await shrink(impossible, result.failure!.promise)).operations).toEqual([]);
  });
});
