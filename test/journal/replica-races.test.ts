/**
 * Several nodes over one store that loses requests and replies, delays them, and repeats them. Each node is a replica that proposes,
 * reads strongly, checkpoints, raises the floor and collects, and that may be thrown away and opened again at any moment.
 *
 * Checked: entries are dense and each was built on all before it (the machine does that); what was acknowledged is there exactly
 * once; what failed is not there; what is unknown is there at most once; a strong read shows everything acknowledged before it.
 */
import { describe, expect, test } from 'vitest';
import { isTailwaterError, type Random } from '../../src/base/index.ts';
import { JournalReplica, ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { type Faults, FaultyObjectStore, NO_FAULTS } from '../harness/faulty-object-store.ts';
import { type Simulation, seeds, simulate } from '../harness/simulate.ts';
import type { VirtualClock } from '../harness/virtual-clock.ts';
import { type Tally, tallyMachine, tallyProposal } from './tally-machine.ts';

/** What clients were told, per proposal. */
interface Told {
  acknowledged: Set<string>;
  failed: Set<string>;
  unknown: Set<string>;
}

interface World {
  clock: VirtualClock;
  random: Random;
  store: FaultyObjectStore;
  told: Told;
  /** Proposals so far: also what makes each life of a node its own writer. */
  lives: number;
}

function makeWorld({ clock, random }: Simulation, faults: Partial<Faults>): World {
  const store = new FaultyObjectStore(new MemoryObjectStore(), clock, random, faults);
  return { clock, random, store, told: { acknowledged: new Set(), failed: new Set(), unknown: new Set() }, lives: 0 };
}

function openReplica(world: World): Promise<JournalReplica<Tally>> {
  return JournalReplica.open(new ObjectJournal(world.store, 'log'), tallyMachine(), { checkpointEvery: 7 });
}

async function openUntilItWorks(world: World): Promise<JournalReplica<Tally>> {
  for (;;) {
    try {
      return await openReplica(world);
    } catch (error) {
      expect(isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')).toBe(true);
      await world.clock.sleep(10);
    }
  }
}

/** One life of a node: some steps, then it is dropped without a goodbye. */
async function liveOnce(world: World, steps: number): Promise<void> {
  const writer = `w${world.lives++}`;
  const replica = await openUntilItWorks(world);
  for (let step = 0; step < steps; step++) {
    const dice = world.random.float();
    if (dice < 0.7) await propose(world, replica, writer, step);
    else if (dice < 0.85) await readStrongly(world, replica);
    else await tidy(world, replica);
    await world.clock.sleep(world.random.float() * 20);
  }
}

async function propose(world: World, replica: JournalReplica<Tally>, writer: string, sequence: number): Promise<void> {
  const id = `${writer}:${sequence}`;
  const nonce = Math.floor(world.random.float() * 1e9);
  try {
    const number = await replica.propose(tallyProposal(writer, sequence, nonce));
    world.told.acknowledged.add(id);
    expect(replica.state.applied[number - 1]).toBe(id);
  } catch (error) {
    if (isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) world.told.unknown.add(id);
    else if (isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')) world.told.failed.add(id);
    else throw error;
  }
}

async function readStrongly(world: World, replica: JournalReplica<Tally>): Promise<void> {
  const before = [...world.told.acknowledged];
  try {
    await replica.refresh();
  } catch (error) {
    expect(isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')).toBe(true);
    return;
  }
  const seen = new Set(replica.state.applied);
  expect(before.filter(id => !seen.has(id))).toEqual([]);
}

async function tidy(world: World, replica: JournalReplica<Tally>): Promise<void> {
  const journal = new ObjectJournal(world.store, 'log');
  try {
    const seq = replica.seq;
    await replica.checkpoint();
    await journal.raiseFloor(Math.max(1, seq - Math.floor(world.random.float() * 3)));
    await journal.collect();
  } catch (error) {
    expect(isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE', 'TW_OUTCOME_UNKNOWN')).toBe(true);
  }
}

async function race(simulation: Simulation, faults: Partial<Faults>): Promise<{ entries: number; told: Told }> {
  const world = makeWorld(simulation, faults);
  const node = async (): Promise<void> => {
    for (let life = 0; life < 3; life++) await liveOnce(world, 8);
  };
  await Promise.all([node(), node(), node(), node()]);
  // Late requests land, then the store behaves: what is in the journal now is the truth.
  await simulation.clock.sleep(60_000);
  world.store.faults = NO_FAULTS;
  const { applied } = (await openReplica(world)).state;
  expect(new Set(applied).size).toBe(applied.length);
  expect([...world.told.acknowledged].filter(id => !applied.includes(id))).toEqual([]);
  expect([...world.told.failed].filter(id => applied.includes(id))).toEqual([]);
  expect(applied.filter(id => !world.told.acknowledged.has(id) && !world.told.unknown.has(id))).toEqual([]);
  return { entries: applied.length, told: world.told };
}

const UNRELIABLE: Partial<Faults> = {
  lostRequest: 0.08,
  lostReply: 0.08,
  late: 0.05,
  repeated: 0.05,
  error: 0.03,
  maxDelayMs: 30,
  lateMs: 400,
};

describe('replicas that race on one journal', () => {
  test('acknowledge every proposal when the store is merely slow', async () => {
    for (const seed of seeds(1, 30)) {
      await simulate(seed, async simulation => {
        const { told } = await race(simulation, { maxDelayMs: 50 });
        expect([told.failed.size, told.unknown.size]).toEqual([0, 0]);
      });
    }
  });

  test('tell the truth about every proposal when requests and replies get lost, late or repeated', async () => {
    let entries = 0;
    for (const seed of seeds(1000, 120)) {
      await simulate(seed, async simulation => {
        entries += (await race(simulation, UNRELIABLE)).entries;
      });
    }
    expect(entries).toBeGreaterThan(50);
  });

  test('tell the truth when most replies are lost', async () => {
    for (const seed of seeds(5000, 60)) {
      await simulate(seed, async simulation => {
        await race(simulation, { ...UNRELIABLE, lostReply: 0.5, late: 0.3, lateMs: 2_000 });
      });
    }
  });
});
