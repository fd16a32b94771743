import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { ObjectJournal, Pins } from '../../src/journal/index.ts';
import { dropTable, pinTableState, TableStates, TableStatistics } from '../../src/lakehouse/index.ts';
import { Collector, type CollectorOptions } from '../../src/server/collect/collector.ts';
import { PastCuts } from '../../src/snapshot/index.ts';
import { LogReader, LogShard } from '../../src/streams/index.ts';
import { simulate } from '../harness/simulate.ts';
import { CollectWorld, GRACE_MS } from './collect-world.ts';

async function inWorld(body: (world: CollectWorld) => Promise<void>): Promise<void> {
  await simulate(7, async simulation => {
    const world = new CollectWorld(simulation, {}, { logHistoryMs: 0 });
    await world.restart();
    await world.create('rows', { kind: 'upsert', history: 'PT1S' });
    await body(world);
  });
}

async function collectorOf(world: CollectWorld, changes: Partial<CollectorOptions> = {}): Promise<Collector> {
  const store = world.store({});
  const { clock, settings, tables } = world;
  const random = seededRandom(11);
  return new Collector({
    shards: [await LogShard.open({ journal: new ObjectJournal(store, 'log'), shard: 0, clock, random })],
    catalog: new ObjectJournal(store, 'catalog'),
    store,
    tables,
    pins: new Pins(store, 'collector', clock, random),
    clock,
    settings,
    ...changes,
  });
}

/** Two states; the first is older than history. */
async function twoStates(world: CollectWorld): Promise<TableStates> {
  for (const key of ['a', 'b']) {
    await world.append('rows', [key]);
    await world.compact('rows');
    await world.clock.sleep(5_000);
  }
  return new TableStates(world.truth, world.node.catalog.require('rows').incarnation);
}

describe('a collector and those beside it', () => {
  test('a pin that comes between its look at the pins and its mark keeps the state whole, until it runs out', () =>
    inWorld(async world => {
      const states = await twoStates(world);
      const old = (await states.read(1))!;
      const pins = new Pins(world.truth, 'reader', world.clock, seededRandom(5));
      let looks = 0;
      const real = new Pins(world.truth, 'collector', world.clock, seededRandom(6));
      const late = {
        list: async () => {
          const seen = await real.list();
          // Pinned, and the floor read again, before the collector marks.
          if (looks++ === 0) await pinTableState(pins, states, old, 60_000);
          return seen;
        },
        removeExpired: (graceMs: number) => real.removeExpired(graceMs),
      } as unknown as Pins;
      expect(await (await collectorOf(world, { pins: late })).run()).toMatchObject({ states: 1, problems: [] });
      expect(await states.floor()).toBe(2);
      const definition = world.node.catalog.require('rows');
      const open = () => world.tables.open(definition, { rows: old.rowsVersion, changes: old.changesVersion }, old.schema);
      expect(await (await open()).countRows()).toBe(1);
      await TableStatistics.load(world.truth, old.statistics);
      expect(await new TableStates(world.truth, definition.incarnation).read(1)).toEqual(old);
      await world.clock.sleep(61_000);
      expect((await world.collect())?.problems).toEqual([]);
      await expect(open()).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
      expect(await new TableStates(world.truth, definition.incarnation).read(1)).toBeNull();
    }));

  test('a reader that pins after the mark is told that it came too late', () =>
    inWorld(async world => {
      const states = await twoStates(world);
      const old = (await states.read(1))!;
      const run = (await collectorOf(world)).run();
      await world.clock.sleep(GRACE_MS / 2);
      const pins = new Pins(world.truth, 'reader', world.clock, seededRandom(5));
      await expect(pinTableState(pins, states, old, 60_000)).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
      expect((await run).states).toBe(1);
      expect(await pins.list()).toEqual([]);
    }));

  test('a read of an instant whose log goes while it looks finds the table that has taken it over', () =>
    inWorld(async world => {
      await world.append('rows', ['a']);
      const stream = world.node.streams.require(world.node.catalog.require('rows'));
      const { seq } = world.node.shard;
      const log = new LogReader(new ObjectJournal(world.truth, 'log'));
      let looks = 0;
      const late = {
        async *range(first: number, last: number) {
          // It saw no table state; now there is one, and the log is let go of.
          if (looks++ === 0) {
            await world.compact('rows');
            expect((await world.collect())?.log).toMatchObject([{ floor: seq + 1 }]);
          }
          yield* log.range(first, last);
        },
      } as unknown as LogReader;
      const past = new PastCuts(late, { fill: async () => {}, compute: async () => {} });
      const cut = await past.at(stream, seq, Number.POSITIVE_INFINITY);
      expect([cut.table?.state.rowCount, cut.table?.state.logSeq, looks]).toEqual([1, seq, 2]);
    }));

  test('a pin of a kind that it does not know holds everything', () =>
    inWorld(async world => {
      await twoStates(world);
      const pins = new Pins(world.truth, 'newer', world.clock, seededRandom(5));
      await pins.create({ kind: 'something else' }, 60_000);
      const report = await world.collect({ thorough: true });
      expect(report?.problems).toEqual([expect.stringContaining('newer version')]);
      expect(await new ObjectJournal(world.truth, 'log').floor()).toBe(1);
    }));

  test('statistics that a sleeping compactor wrote for its commit are there when it wakes', () =>
    inWorld(async world => {
      await twoStates(world);
      await world.append('rows', ['c']);
      const { store } = world;
      let slept = false;
      // The next compaction falls asleep between its statistics and its commit.
      world.store = faults => {
        const inner = store.call(world, faults);
        const sleepy = Object.create(inner) as typeof inner;
        sleepy.put = async (key, bytes, condition) => {
          if (key.includes('/state/entries/')) {
            slept = true;
            await world.clock.sleep(100_000);
          }
          return inner.put(key, bytes, condition);
        };
        for (const name of ['get', 'head', 'list', 'delete'] as const) Object.assign(sleepy, { [name]: inner[name].bind(inner) });
        return sleepy;
      };
      const compaction = world.compact('rows');
      while (!slept) await world.clock.sleep(5);
      world.store = store;
      expect((await world.collect({ thorough: true }))?.problems).toEqual([]);
      await compaction;
      const states = new TableStates(world.truth, world.node.catalog.require('rows').incarnation);
      const latest = (await states.latest())!;
      expect([latest.n, latest.rowCount]).toEqual([3, 3]);
      await TableStatistics.load(world.truth, latest.statistics);
    }));

  test('a stream that is created while it looks around is not taken for a dead one', () =>
    inWorld(async world => {
      await twoStates(world);
      const { tables } = world;
      const collector = await collectorOf(world, {
        tables: {
          prune: (...prune) => tables.prune(...prune),
          drop: incarnation => tables.drop(incarnation),
          incarnations: async () => {
            await world.create('young', { kind: 'append' });
            await world.append('young', ['x']);
            await world.compact('young');
            return tables.incarnations();
          },
        },
      });
      expect(await collector.run()).toMatchObject({ dropped: { streams: 0 }, problems: [] });
      await world.checkEverything();
    }));

  test('a stream that is deleted, with all it had, while it sleeps is no problem', () =>
    inWorld(async world => {
      for (let round = 0; round < 3; round++) await twoStates(world);
      const { incarnation } = world.node.catalog.require('rows');
      const store = world.store({});
      let slept = false;
      const get: typeof store.get = async (key, options) => {
        if (!slept && key.startsWith(`tables/${incarnation}/state/`) && key.endsWith('7')) {
          slept = true;
          await world.node.catalog.delete('rows');
          await dropTable(world.truth, world.tables, incarnation);
        }
        return store.get(key, options);
      };
      const sleepy = Object.assign(Object.create(store) as typeof store, { get });
      for (const name of ['put', 'head', 'list', 'delete'] as const) Object.assign(sleepy, { [name]: store[name].bind(store) });
      const collector = await collectorOf(world, { store: sleepy });
      expect((await collector.run({ thorough: true })).problems).toEqual([]);
      expect(slept).toBe(true);
    }));

  test('a reader that slept while a stream was deleted, with all it had, is told that it is not there', () =>
    inWorld(async world => {
      await twoStates(world);
      const definition = world.node.catalog.require('rows');
      const sleeper = await world.open();
      await world.node.catalog.delete('rows');
      await dropTable(world.truth, world.tables, definition.incarnation);
      for (const { token } of world.instants) {
        const read = sleeper.pinner.pin(definition, { asOf: token }, world.clock.nowMs() + 1_000);
        await expect(read).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
      }
    }));

  test('an earlier instant that was rebuilt before is not answered from a state that has gone since', () =>
    inWorld(async world => {
      world.settings = { ...world.settings, logHistoryMs: 1e9 };
      await world.append('rows', ['a']);
      await world.compact('rows');
      await world.append('rows', ['b']);
      const [, instant] = world.instants;
      await world.append('rows', ['c']);
      await world.compact('rows');
      await world.checkInstant(instant);
      expect(world.counts).toMatchObject({ exact: 2, expired: 0 });
      await world.clock.sleep(5_000);
      expect((await world.collect())?.states).toBe(1);
      await world.checkInstant(instant);
      expect(world.counts).toMatchObject({ exact: 2, expired: 2 });
    }));
});
