import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { ObjectJournal } from '../../src/journal/index.ts';
import { listAll, MemoryObjectStore } from '../../src/storage/index.ts';
import {
  Catalog,
  CatalogView,
  coverageFault,
  isBehind,
  LogReader,
  LogVerification,
  planLogFloor,
} from '../../src/streams/index.ts';
import { LogSizes } from '../../src/streams/wal/log-sizes.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { appendOf, creating, memoryJournal, openShard } from './log-support.ts';

const progress = fc.record({ incarnation: fc.string({ minLength: 1 }), behind: fc.boolean(), logSeq: fc.nat({ max: 60 }) });

describe('the floor of a log', () => {
  test('never falls, never passes what a table lacks, what is retained or what is pinned, and rises as far as these allow', () => {
    fc.assert(
      fc.property(
        fc.record({
          floor: fc.integer({ min: 1, max: 50 }),
          head: fc.integer({ min: 50, max: 60 }),
          streams: fc.array(progress),
          retainedFromSeq: fc.integer({ min: 1, max: 61 }),
          pinnedFromSeq: fc.option(fc.integer({ min: 1, max: 61 })),
        }),
        facts => {
          const plan = planLogFloor(facts);
          const needed = facts.streams.filter(stream => stream.behind).map(stream => stream.logSeq + 1);
          const limits = [...needed, facts.retainedFromSeq, facts.pinnedFromSeq ?? 99, facts.head + 1];
          expect(plan.floor).toBe(Math.max(facts.floor, Math.min(...limits)));
          expect(plan.neededFromSeq).toBe(Math.min(...needed, facts.head + 1));
          const holder = facts.streams.find(stream => stream.incarnation === plan.neededBy);
          if (plan.neededBy !== null) expect(holder).toBeDefined();
          expect(plan.heldBy === null).toBe(Math.min(...limits) > facts.head);
        },
      ),
    );
  });

  test('is held by a stream only while the log has records that its table lacks', () => {
    expect(isBehind([0, 0], [])).toBe(false);
    expect(isBehind([3, 0], [2])).toBe(false);
    expect(isBehind([3, 1], [2, -1])).toBe(true);
    expect(isBehind([4], [2])).toBe(true);
  });

  test('for a time is the first segment that was committed after it, also below a floor', async () => {
    const clock = new VirtualClock();
    const shard = await openShard(memoryJournal(), { clock });
    await shard.control([creating('s')]);
    const times = [shard.commitTimeMs];
    for (let index = 0; index < 20; index++) {
      await clock.advance(10);
      await shard.append(appendOf('s', 0, `v${index}`));
      times.push(shard.commitTimeMs);
    }
    await shard.raiseFloor(6);
    for (const [index, timeMs] of times.entries()) {
      expect(await shard.firstCommittedAfter(timeMs)).toBe(Math.max(7, index + 2));
      expect(await shard.firstCommittedAfter(timeMs - 1)).toBe(Math.max(7, index + 1));
    }
  });

  test('may be marked long before anything is deleted; readers of a range that it passed are told', async () => {
    const journal = memoryJournal();
    const shard = await openShard(journal);
    await shard.control([creating('s')]);
    for (let index = 0; index < 9; index++) await shard.append(appendOf('s', 0, `v${index}`));
    await shard.markFloor(5);
    expect([await journal.floor(), (await journal.read(3)) === null]).toEqual([6, false]);
    const range = new LogReader(journal).range(3, 8);
    const all = async (): Promise<void> => {
      for await (const _ of range);
    };
    await expect(all()).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
    await shard.collect();
    expect(await journal.read(3)).toBeNull();
    expect((await openShard(journal)).nextOffsets('s')).toEqual([9]);
  });
});

describe('the bytes of a log', () => {
  test('are never overstated, and understated by less than two samples', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 200 }),
        fc.nat({ max: 20_000 }),
        (all, asked) => {
          const sizes = new LogSizes(500);
          for (const [index, bytes] of all.entries()) sizes.add(index + 1, bytes);
          const bytesAbove = (seq: number): number => all.slice(seq).reduce((sum, bytes) => sum + bytes, 0);
          for (let seq = 1; seq <= all.length; seq++) {
            expect(sizes.bytesAfter(seq)).toBeLessThanOrEqual(bytesAbove(seq));
            expect(sizes.bytesAfter(seq)).toBeGreaterThan(bytesAbove(seq) - 1_000);
          }
          const last = sizes.lastFollowedBy(asked);
          if (last > 0) expect(bytesAbove(last)).toBeGreaterThanOrEqual(asked);
          if (bytesAbove(1) >= asked + 1_000) expect(bytesAbove(last)).toBeLessThan(asked + 1_000);
        },
      ),
    );
  });
});

describe('a catalog', () => {
  test('stays bounded: entries go behind a checkpoint, and whoever opens it knows the same streams', async () => {
    const store = new MemoryObjectStore();
    const journal = new ObjectJournal(store, 'catalog');
    const shard = await openShard(memoryJournal());
    const catalog = await Catalog.open({ journal, shards: [shard], clock: new VirtualClock(), random: seededRandom(3) });
    for (let index = 0; index < 12; index++) await catalog.create(`s${index}`, { kind: 'append' });
    await catalog.delete('s3');
    const view = await CatalogView.open(journal);
    expect(await view.raiseFloor()).toBe(13);
    await view.collect();
    await catalog.create('late', { kind: 'append' });
    await view.refresh();
    expect(view.list()).toEqual(catalog.list());
    expect((await CatalogView.open(journal)).list()).toEqual(catalog.list());
    const entries: string[] = [];
    for await (const { key } of listAll(store, 'catalog/entries/')) entries.push(key);
    expect(entries).toHaveLength(1);
  });
});

describe('verifying a log', () => {
  test('notices a segment out of turn, and offsets that do not go on', async () => {
    const journal = memoryJournal();
    const shard = await openShard(journal);
    await shard.control([creating('s')]);
    for (let index = 0; index < 4; index++) await shard.append(appendOf('s', 0, 'a', 'b'));
    const segments = await Promise.all([2, 3, 4, 5].map(seq => new LogReader(journal).read(seq)));
    const whole = new LogVerification();
    expect(segments.flatMap(segment => whole.add(segment!))).toEqual([]);
    expect(whole.rangeOf('s', 0)).toEqual({ first: 0, next: 8 });
    const holed = new LogVerification();
    holed.add(segments[0]!);
    expect(holed.add(segments[2]!)).toEqual(['it follows segment 2', expect.stringContaining('goes on at offset 4, not at 2')]);
  });

  test.each([
    [-1, undefined, 0, null],
    [4, undefined, 5, null],
    [4, { first: 3, next: 8 }, 8, null],
    [4, { first: 5, next: 8 }, 8, null],
    [4, { first: 2, next: 4 }, 5, null],
    [4, { first: 7, next: 9 }, 9, /offsets 5 to 6/],
    [4, { first: 5, next: 8 }, 9, /offsets 8 to 8/],
    [-1, undefined, 3, /offsets 0 to 2/],
  ])('a table up to %j and a log of %j below %j: %s', (watermark, range, next, fault) => {
    const found = coverageFault(0, watermark, range, next);
    if (fault === null) expect(found).toBeNull();
    else expect(found).toMatch(fault);
  });
});
