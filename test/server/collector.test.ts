import { describe, expect, test } from 'vitest';
import { type TableState, TableStates, TableTags } from '../../src/lakehouse/index.ts';
import { listAll } from '../../src/storage/index.ts';
import type { Faults } from '../harness/faulty-object-store.ts';
import { type Simulation, seeds, simulate } from '../harness/simulate.ts';
import { CollectWorld } from './collect-world.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e'];
const UNRELIABLE: Partial<Faults> = {
  lostRequest: 0.03,
  lostReply: 0.03,
  late: 0.03,
  repeated: 0.02,
  error: 0.02,
  maxDelayMs: 8,
  lateMs: 1_500,
};

async function started(simulation: Simulation, faults: Partial<Faults>, logHistoryMs: number): Promise<CollectWorld> {
  const world = new CollectWorld(simulation, faults, { logHistoryMs });
  await world.restart();
  await world.create('events', { kind: 'append', partitions: 2, history: 'PT2S' });
  await world.create('rows', { kind: 'upsert', history: 'PT1S' });
  await world.create('idle', { kind: 'append', history: 'forever' });
  await world.append('idle', ['z']);
  return world;
}

function pick<T>(world: CollectWorld, values: readonly T[]): T {
  return values[Math.floor(world.random.float() * values.length)];
}

/** Something that happens, alone or beside other things. */
async function act(world: CollectWorld): Promise<void> {
  const dice = world.random.float();
  const keys = Array.from({ length: 1 + Math.floor(world.random.float() * 3) }, () => pick(world, KEYS));
  if (dice < 0.35) await world.append(pick(world, ['events', 'rows', 'rows', 'idle']), keys);
  else if (dice < 0.6) await world.compact(pick(world, ['events', 'rows', 'idle']));
  else if (dice < 0.7) await world.collect({ calls: 1 + Math.floor(world.random.float() * 120) });
  else if (dice < 0.85) await world.collect({ thorough: world.random.float() < 0.3 });
  else if (dice < 0.88) await world.tag(pick(world, ['events', 'rows']));
  else if (dice < 0.9) await world.untag();
  else if (dice < 0.94) await world.pin(pick(world, ['events', 'rows']), 3_000);
  else await world.clock.sleep(world.random.float() * 2_000);
}

async function live(world: CollectWorld, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const beside = 1 + Math.floor(world.random.float() * 3);
    await Promise.all(Array.from({ length: beside }, () => act(world)));
    if (world.random.float() < 0.1) await world.restart();
    await world.ready();
    await world.checkPins();
    await world.checkTags();
    await world.checkEverything();
    await world.ready();
    if (world.instants.length > 0) await world.checkInstant(pick(world, world.instants.slice(-12)));
  }
  await world.checkEverything(await world.insist(() => world.open()));
}

async function keysUnder(world: CollectWorld, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listAll(world.truth, prefix)) keys.push(key);
  return keys;
}

/** When everyone is done: what is left is what the newest states need, and nothing else. */
async function expectNoGarbage(world: CollectWorld): Promise<void> {
  // Requests that are still on their way land, pins run out, all is older than any history.
  await world.clock.sleep(60_000);
  world.settle();
  await world.restart();
  for (const { name } of world.node.catalog.list()) {
    await world.compact(name);
    await world.clock.sleep(60_000);
    // One more state, so that all before it are history.
    await world.append(name, ['last']);
    await world.compact(name);
  }
  await world.clock.sleep(10_000_000);
  await world.restart();
  await world.untag();
  for (let run = 0; run < 2; run++) expect((await world.collect({ thorough: true }))?.problems).toEqual([]);
  await world.checkEverything();
  await world.checkEverything(await world.open());
  await world.checkTags();
  expect(await keysUnder(world, 'log/entries/')).toEqual([]);
  expect(await keysUnder(world, 'pins/')).toEqual([]);
  for (const { incarnation, historyMs } of world.node.catalog.list()) {
    const states = new TableStates(world.truth, incarnation);
    const kept: TableState[] = [];
    for await (const state of states.kept()) kept.push(state);
    if (historyMs !== null) expect(kept.map(state => state.n)).toEqual([(await states.latest())?.n]);
    const entries = await keysUnder(world, `tables/${incarnation}/state/entries/`);
    expect(entries.length).toBe(kept.length);
    const tagged = (await new TableTags(world.truth, incarnation).list()).map(tag => tag.state);
    const named = new Set([...kept, ...tagged].flatMap(state => state.statistics));
    expect((await keysUnder(world, `tables/${incarnation}/statistics/`)).sort()).toEqual([...named].sort());
  }
}

type Counts = CollectWorld['counts'];

async function manyLives(count: number, firstSeed: number, faults: Partial<Faults>): Promise<Counts> {
  const sums: Counts[] = [];
  for (const seed of seeds(firstSeed, count)) {
    await simulate(seed, async simulation => {
      const world = await started(simulation, faults, [0, 1_000, 1_000_000][seed % 3]);
      await live(world, 20);
      await expectNoGarbage(world);
      sums.push(world.counts);
    });
  }
  const names = Object.keys(sums[0]) as (keyof Counts)[];
  return Object.fromEntries(names.map(name => [name, sums.reduce((sum, counts) => sum + counts[name], 0)])) as Counts;
}

describe('the collector', () => {
  test('whatever is compacted, collected and killed: every record is read once, instants are exact or expired, pinned states stay', async () => {
    const counts = await manyLives(25, 1, { maxDelayMs: 8 });

    // Each of these was met, often: the property is not empty.
    const { exact, expired, killed, pinnedReads, taggedReads, segments, states, statistics } = counts;
    for (const count of [exact, expired, killed, pinnedReads, taggedReads, segments, states, statistics])
      expect(count).toBeGreaterThan(30);
  }, 120_000);

  test('so it is when requests and replies are lost, late or repeated, and calls fail', async () => {
    const counts = await manyLives(25, 1_000, UNRELIABLE);

    expect(counts.problems).toBeGreaterThan(10);
    expect(counts.segments).toBeGreaterThan(100);
  }, 120_000);
});
