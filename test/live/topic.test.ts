import { describe, expect, test } from 'vitest';
import { type Random, TailwaterError } from '../../src/base/index.ts';
import { differenceOf, type Identified } from '../../src/live/difference.ts';
import { Topic } from '../../src/live/topic.ts';
import { type Simulation, seeds, simulate } from '../harness/simulate.ts';

const MIN_INTERVAL_MS = 50;

/** A number that changes, told to whoever waits, and evaluations of it that take a while. */
class World {
  readonly simulation: Simulation;
  readonly evaluations: { atMs: number; doneMs: number }[] = [];
  readonly topic: Topic<{ value: number; begunMs: number }>;
  value = 0;
  evaluating = 0;
  failing = false;
  readonly #waiting = new Set<() => void>();

  constructor(simulation: Simulation, refreshMs: number | null = null) {
    this.simulation = simulation;
    this.topic = new Topic({
      evaluate: () => this.#evaluate(),
      changed: signal => this.#changed(signal),
      isSame: (one, other) => one.value === other.value,
      clock: simulation.clock,
      minIntervalMs: MIN_INTERVAL_MS,
      refreshMs,
    });
  }

  set(value: number): void {
    this.value = value;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async #evaluate(): Promise<{ value: number; begunMs: number }> {
    const { clock, random } = this.simulation;
    expect(++this.evaluating, 'evaluations at a time').toBe(1);
    const begunMs = clock.nowMs();
    const { value } = this;
    await clock.sleep(random.float() * 30);
    this.evaluating--;
    this.evaluations.push({ atMs: begunMs, doneMs: clock.nowMs() });
    if (this.failing) throw new TailwaterError('TW_CLOSED', { detail: 'Gone.' });
    return { value, begunMs };
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

interface Heard {
  values: number[];
  stop(): Promise<void>;
}

/** A subscriber that takes up to `slownessMs` over each answer. */
function listen(world: World, known: number | null, slownessMs: number): Heard {
  const { clock, random } = world.simulation;
  const stop = new AbortController();
  const values: number[] = [];
  const began = clock.nowMs();
  const ended = (async () => {
    const start = known === null ? null : { value: known, begunMs: 0 };
    let before = start;
    for await (const update of world.topic.subscribe(start, stop.signal)) {
      expect(update.before?.value, 'the answer before').toBe(before?.value);
      expect(update.answer.value, 'the next answer is another one').not.toBe(before?.value);
      expect(update.answer.begunMs, 'an answer of after the question').toBeGreaterThanOrEqual(began);
      values.push(update.answer.value);
      before = update.answer;
      if (slownessMs > 0) await clock.sleep(random.float() * slownessMs);
    }
  })();
  // Whoever stops it is told.
  ended.catch(() => {});
  return {
    values,
    stop: () => {
      stop.abort();
      return ended;
    },
  };
}

const pick = (random: Random, count: number): number => Math.floor(random.float() * count);

describe('an answer that is kept up to date', () => {
  test('every subscriber ends with the newest, hears nothing twice, and shares evaluations that keep their distance', async () => {
    for (const seed of seeds(1, 200)) {
      await simulate(seed, async simulation => {
        const { clock, random } = simulation;
        const world = new World(simulation);
        const heard: Heard[] = [];
        for (let step = 0; step < 60; step++) {
          const choice = pick(random, 10);
          if (choice < 5) world.set(pick(random, 4));
          else if (choice === 5 && heard.length < 8)
            heard.push(listen(world, pick(random, 2) === 0 ? null : pick(random, 4), pick(random, 3) * 200));
          else if (choice === 6 && heard.length > 0) await heard.splice(pick(random, heard.length), 1)[0].stop();
          else await clock.sleep(random.float() * 100);
        }
        heard.push(listen(world, null, 0));
        await clock.sleep(2000);
        const last = heard.at(-1)!;
        expect(last.values.at(-1)).toBe(world.value);
        const before = world.evaluations.length;
        for (const each of heard) if (each.values.length > 0) expect(each.values.at(-1)).toBe(world.value);
        await clock.sleep(10_000);
        expect(world.evaluations.length, 'nothing changes, nothing is evaluated').toBe(before);
        for (const each of heard) await each.stop();
        expect(world.topic.subscribers).toBe(0);
      });
    }
  });

  test('that changes all the time is evaluated no more often than its interval says', () =>
    simulate(3, async simulation => {
      const { clock } = simulation;
      const world = new World(simulation);
      const heard = listen(world, null, 0);
      for (let n = 1; n <= 2000; n++) {
        world.set(n);
        await clock.sleep(1);
      }
      await clock.sleep(200);
      await heard.stop();
      expect(heard.values.at(-1)).toBe(2000);
      const gaps = world.evaluations.slice(1).map(({ atMs }, index) => atMs - world.evaluations[index].atMs);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MIN_INTERVAL_MS);
      expect(world.evaluations.length).toBeGreaterThan(30);
    }));

  test('is looked at again after a while where time alone changes it, and only there', () =>
    simulate(4, async simulation => {
      const { clock } = simulation;
      const aging = new World(simulation, 5000);
      const heard = listen(aging, null, 0);
      await clock.sleep(100);
      aging.value = 7;
      await clock.sleep(5100);
      await heard.stop();
      expect(heard.values).toEqual([0, 7]);
      await clock.sleep(60_000);
      expect(aging.evaluations.length, 'nobody listens').toBe(2);
    }));

  test('that fails tells everyone, once', () =>
    simulate(5, async simulation => {
      const { clock } = simulation;
      const world = new World(simulation);
      const all = [listen(world, null, 0), listen(world, null, 100)];
      await clock.sleep(200);
      world.failing = true;
      world.set(1);
      await clock.sleep(200);
      for (const each of all) await expect(each.stop()).rejects.toMatchObject({ code: 'TW_CLOSED' });
      expect(world.topic.failed).toBe(true);
    }));
});

describe('a difference', () => {
  test('leads from the one answer to the other', async () => {
    for (const seed of seeds(1, 500)) {
      await simulate(seed, async ({ random }) => {
        const answer = (): Identified[] => {
          const ids = new Set(Array.from({ length: pick(random, 6) }, () => String(pick(random, 8))));
          return [...ids].map(id => ({ id, content: String(pick(random, 2)) }));
        };
        const [before, after] = [answer(), answer()];
        const { added, changed, removed } = differenceOf(before, after);
        const content = new Map(after.map(({ id, content }) => [id, content]));
        const reached = new Map(before.map(({ id, content }) => [id, content]));
        for (const id of removed) expect(reached.delete(id)).toBe(true);
        for (const id of changed) {
          expect(reached.get(id)).not.toBe(content.get(id));
          expect(reached.has(id)).toBe(true);
          reached.set(id, content.get(id)!);
        }
        for (const id of added) {
          expect(reached.has(id)).toBe(false);
          reached.set(id, content.get(id)!);
        }
        expect([...reached].sort()).toEqual([...content].sort());
      });
    }
  });
});
