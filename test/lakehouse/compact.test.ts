import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Random } from '../../src/base/index.ts';
import { type CompactionContext, compactStream, MemoryTableStore, maintainTable } from '../../src/lakehouse/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { APPEND, expectTableEqualsLog, segment, UPSERT, World, write } from './compact-oracle.ts';
import type { PutFate } from './compact-support.ts';
import { type StepHook, type Written, withFacts } from './compact-world.ts';

function openWorld(definition: StreamDefinition, seed: number): World {
  return new World(definition, seed, new MemoryTableStore());
}

/** Throws at one step of one attempt, as a crash or an engine error would. */
function failAt(step: number, message: string): StepHook {
  let steps = 0;
  return async () => {
    if (steps++ === step) throw new Error(message);
  };
}

/** Lets others run for a random while around every step. */
function yielding(random: Random): StepHook {
  return async () => {
    for (let turns = Math.floor(random.float() * 6); turns > 0; turns--) await null;
  };
}

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), segment }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('compact' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail' as const), step: fc.nat({ max: 14 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('race' as const), racers: fc.integer({ min: 2, max: 4 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('unknown' as const),
      fates: fc.array(fc.constantFrom<PutFate>('works', 'reply-lost', 'request-lost'), { maxLength: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('maintain' as const), full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('provider' as const), down: fc.boolean() }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function perform(world: World, step: Operation): Promise<void> {
  if (step.kind === 'write') return write(world, step.segment);
  if (step.kind === 'compact') return void (await world.compact());
  if (step.kind === 'fail') return crashed(world, world.context({ hook: failAt(step.step, 'killed') }));
  if (step.kind === 'race') return race(world, step.racers);
  if (step.kind === 'unknown') return unknownOutcomes(world, [...step.fates]);
  if (step.kind === 'maintain') return void (await world.maintain({ full: step.full }));
  world.providerDown = step.down;
}

/** One attempt only: what a crash leaves behind. */
async function crashed(world: World, context: CompactionContext): Promise<void> {
  await world.compact({ ...context, settings: { ...context.settings, maxAttempts: 1 } }).catch(expectFailure);
}

async function race(world: World, racers: number): Promise<void> {
  const contexts = Array.from({ length: racers }, () => world.context({ hook: yielding(world.random) }));
  const runs = contexts.map((context, racer) =>
    racer === 0
      ? maintainTable(context, world.definition, { full: true }).catch(expectFailure)
      : compactStream(context, world.definition, world.log.head).catch(expectFailure),
  );
  await world.run(Promise.all(runs));
}

async function unknownOutcomes(world: World, fates: PutFate[]): Promise<void> {
  await world.compact(world.context({ fateOf: () => fates.shift() ?? 'works' })).catch(expectFailure);
}

function expectFailure(error: unknown): null {
  expect(error).toMatchObject({ code: 'TW_COMPACTION_FAILED' });
  return null;
}

describe.each([
  ['upsert', UPSERT],
  ['append', APPEND],
])('compaction of an %s stream', (_, definition) => {
  test('whatever races, fails or stays unknown, the table equals the log: every version once, statistics exact', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), fc.integer(), async (operations, seed) => {
        const world = openWorld(definition, seed);
        for (const step of operations) {
          await perform(world, step);
          const state = await world.states().latest();
          if (state !== null) await expectTableEqualsLog(world, state);
        }
        const state = await world.compact();
        if (state === null) {
          expect(world.log.records).toEqual([]);
        } else {
          expect(state.logSeq).toBe(world.log.head);
          await expectTableEqualsLog(world, state);
        }
      }),
      { numRuns: 120 },
    );
  });

  test('older states keep answering as they did, whatever is committed after them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 2, maxLength: 8 }), fc.integer(), async (segments, seed) => {
        const world = openWorld(definition, seed);
        for (const each of segments) {
          write(world, each);
          await world.compact();
        }
        const states = world.states();
        const newest = (await states.latest())?.n ?? 0;
        for (let n = 1; n <= newest; n++) await expectTableEqualsLog(world, (await states.read(n))!);
      }),
      { numRuns: 25 },
    );
  });
});

describe('compaction', () => {
  const note = (key: string, words: string): Written => ({ partition: 0, key, value: { text: words } });

  test('a stream without records has no table, however often it is compacted', async () => {
    const world = openWorld(UPSERT, 1);
    world.log.append([], 3);
    expect(await world.compact()).toBeNull();
    expect(await world.states().latest()).toBeNull();
  });

  test('segments without records of the stream move its position without touching the table', async () => {
    const world = openWorld(UPSERT, 1);
    world.log.append([note('a', 'tide')]);
    const first = await world.compact();
    for (let index = 0; index < 5; index++) world.log.append([], 1);
    const second = await world.compact();
    expect(second).toMatchObject({ n: 2, logSeq: 6, rowsVersion: first!.rowsVersion, rowCount: 1 });
  });

  test('a position beyond the floor is recorded only when an offset proves that nothing was passed over', async () => {
    const world = openWorld(UPSERT, 1);
    world.log.append([note('a', 'tide')]);
    const first = await world.compact();
    world.log.append([note('b', 'storm')]);
    world.log.append([], 1);
    world.log.lowest = 3;
    expect(await world.compact()).toEqual(first);
    world.log.append([note('c', 'anchor')]);
    await expect(world.compact()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    expect(await world.run(world.states().latest())).toEqual(first);
  });

  test('a failing embedding provider delays nothing: rows enter without a vector and get it later', async () => {
    const world = openWorld(UPSERT, 1);
    world.providerDown = true;
    world.log.append(Array.from({ length: 8 }, (_, index) => note(`k${index}`, 'storm tide')));
    expect(await world.compact()).toMatchObject({ rowCount: 8, nullVectors: 8 });
    expect(await world.maintain()).toMatchObject({ nullVectors: 8 });
    world.providerDown = false;
    const filled = await world.maintain();
    expect(filled).toMatchObject({ nullVectors: 0, rowCount: 8, watermark: [7, -1] });
  });

  test('vectors that do not come in time are left for later', async () => {
    const world = openWorld(UPSERT, 1);
    world.log.append([note('a', 'tide')]);
    const never = { ...world.context(), vectorsFor: () => new Promise<never>(() => {}) };
    expect(await world.compact(never)).toMatchObject({ rowCount: 1, nullVectors: 1 });
  });

  test('the text index follows when enough rows lack it, and not before', async () => {
    const world = openWorld(APPEND, 1);
    world.log.append([note('a', 'tide')]);
    await world.compact();
    expect(await world.maintain()).toMatchObject({ n: 1, indexedRows: { text: 0 } });
    expect(await world.maintain({ full: true })).toMatchObject({
      indexedRows: { text: 1 },
    });
    world.log.append(Array.from({ length: 9 }, () => note('b', 'storm')));
    await world.compact();
    expect(await world.maintain()).toMatchObject({
      kind: 'index',
      indexedRows: { text: 10 },
    });
  });

  test('a gap in the offsets is damage, never skipped', async () => {
    const world = openWorld(APPEND, 1);
    for (let index = 0; index < 3; index++) world.log.append([note('a', 'tide')]);
    await expect(world.run(compactStream(world.context(), APPEND, 3, { firstSegment: 2 }))).rejects.toMatchObject({
      code: 'TW_DATA_DAMAGED',
    });
  });

  test('a compactor that is kept reads only what others and it itself added since', async () => {
    const world = openWorld(UPSERT, 1);
    const kept = world.context();
    const wide = Array.from({ length: 3_000 }, (_, index) => note(`k${index}`, `storm${index}`));
    for (let at = 0; at < wide.length; at += 500) world.log.append(wide.slice(at, at + 500));
    const settings = { maxStepRows: 100_000 };
    await world.run(compactStream(Object.assign(kept, { settings }), UPSERT, world.log.head));
    const reads: string[] = [];
    const get = world.store.get.bind(world.store);
    world.store.get = (key, options) => {
      reads.push(key);
      return get(key, options);
    };
    world.log.append([note('k1', 'tide')]);
    await world.run(compactStream(kept, UPSERT, world.log.head));
    expect(reads.filter(key => key.includes('/statistics/'))).toEqual([]);
    const other = await world.run(compactStream(world.context(), UPSERT, world.log.head));
    await expectTableEqualsLog(world, other!);
  });

  test('progress is reported step by step', async () => {
    const world = openWorld(APPEND, 1);
    for (let index = 0; index < 4; index++) world.log.append(Array.from({ length: 5 }, () => note('a', 'tide')));
    const seen: number[] = [];
    const onProgress = ({ records }: { records: number }): void => void seen.push(records);
    await world.run(compactStream(world.context(), APPEND, 4, { onProgress }));
    expect(seen).toEqual([10, 20]);
  });

  test.each(['rowCount', 'oldRowCount', 'changeCount', 'rowsHash', 'oldRowsHash', 'changesHash'] as const)(
    'a staged table whose %s is not as planned is never committed',
    async field => {
      const world = openWorld(UPSERT, 1);
      world.log.append([note('a', 'tide'), note('b', 'storm')]);
      const first = await world.compact();
      world.log.append([note('a', 'anchor')]);
      const wrong = { rowCount: 9, oldRowCount: 9, changeCount: 9, rowsHash: 'f'.repeat(16), oldRowsHash: '1', changesHash: '2' };
      const lying = withFacts(world.tables, facts => ({ ...facts, [field]: wrong[field] }));
      await expect(world.compact({ ...world.context(), tables: lying })).rejects.toMatchObject({ code: 'TW_COMPACTION_FAILED' });
      expect(await world.states().latest()).toEqual(first);
      expect(await world.compact()).toMatchObject({ rowCount: 2, changeCount: 1, n: 2 });
    },
  );

  test('an engine that keeps failing ends in TW_COMPACTION_FAILED with its cause', async () => {
    const world = openWorld(APPEND, 1);
    world.log.append([note('a', 'tide')]);
    const hook: StepHook = async () => {
      throw new Error('disk on fire');
    };
    const failure = await world.compact(world.context({ hook })).catch(error => error);
    expect(failure).toMatchObject({ code: 'TW_COMPACTION_FAILED' });
    expect(failure.message).toContain('disk on fire');
  });
});
