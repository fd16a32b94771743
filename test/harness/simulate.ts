import { type Random, seededRandom } from '../../src/base/index.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface Simulation {
  seed: number;
  random: Random;
  clock: VirtualClock;
}

/**
 * Runs `body` under one seed, which decides everything: the same seed is the same run. A failure names the seed;
 * TAILWATER_SEED=<seed> then runs that one alone.
 */
export async function simulate(seed: number, body: (simulation: Simulation) => Promise<void>): Promise<void> {
  const clock = new VirtualClock();
  try {
    await clock.run(body({ seed, random: seededRandom(seed), clock }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Seed ${seed} failed (TAILWATER_SEED=${seed} repeats it): ${reason}`, { cause: error });
  }
}

/** The seeds of a test: `count` from `first` on, or the one that TAILWATER_SEED names. */
export function seeds(first: number, count: number): number[] {
  const chosen = process.env.TAILWATER_SEED;
  if (chosen !== undefined) return [Number(chosen)];
  return Array.from({ length: count }, (_, index) => first + index);
}
