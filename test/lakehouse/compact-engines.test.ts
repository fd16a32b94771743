import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { seededRandom, systemClock } from '../../src/base/index.ts';
import { compactStream, IcebergTableStore, LanceTableStore, maintainTable } from '../../src/lakehouse/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { APPEND, expectTableEqualsLog, UPSERT, World } from './compact-oracle.ts';
import type { Written } from './compact-world.ts';

const folders: string[] = [];
const stores = { lance: LanceTableStore, iceberg: IcebergTableStore };

function inIceberg(definition: StreamDefinition): StreamDefinition {
  return { ...definition, search: null, embed: null, table: { format: 'iceberg', partitionBy: [], sortBy: [] } };
}

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function openWorld(definition: StreamDefinition, seed: number): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-compact-'));
  folders.push(folder);
  return new World(definition, seed, await stores[definition.table.format].open(folder), systemClock);
}

const WORDS = ['harbour', 'tide', 'vessel', 'anchor', 'the', 'storm'];

/** Random but repeatable segments: few keys, so that versions supersede each other; types that conflict, so that the schema grows. */
function fill(world: World, segments: number): void {
  const random = seededRandom(segments);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.float() * list.length)];
  for (let index = 0; index < segments; index++) {
    const written: Written[] = [];
    for (let count = Math.floor(random.float() * 6); count > 0; count--) {
      const deleted = world.definition.kind === 'upsert' && random.float() < 0.2;
      const value = {
        text: `${pick(WORDS)} ${pick(WORDS)}`,
        price: pick([1, 2.5, 'free', null, true]),
        [pick(['a', 'b'])]: [index],
      };
      written.push({ partition: pick([0, 1]), key: pick(['a', 'b', 'c', 'ключ']), value: deleted ? null : value });
    }
    world.log.append(written, index % 2);
  }
}

describe.each([
  ['upsert stream on LanceDB', UPSERT],
  ['append stream on LanceDB', APPEND],
  ['upsert stream on Iceberg', inIceberg(UPSERT)],
  ['append stream on Iceberg', inIceberg(APPEND)],
])('compaction of an %s', (_, definition) => {
  test('compactions and maintenance, one after another, leave exactly what the log says', async () => {
    const world = await openWorld(definition, 1);
    for (let round = 0; round < 4; round++) {
      fill(world, 5);
      world.providerDown = round === 1;
      await expectTableEqualsLog(world, (await world.compact())!);
      world.providerDown = false;
      await expectTableEqualsLog(world, (await world.maintain({ full: round % 2 === 1 }))!);
    }
    expect(await world.maintain({ full: true })).toMatchObject({ nullVectors: 0 });
  });

  test('a column of any type may be null in every row of a compaction', async () => {
    const world = await openWorld(definition, 3);
    const values = { flag: true, count: 1, share: 0.5, note: 'x', list: [1] };
    for (const value of [{}, values, {}, { ...values, flag: null }, { text: 'none' }]) {
      world.log.append([{ partition: 0, key: 'one', value }], 0);
      await expectTableEqualsLog(world, (await world.compact())!);
    }
  });

  test('two compactors and an indexer racing on one table put every record into it once', async () => {
    const world = await openWorld(definition, 2);
    fill(world, 3);
    await world.compact();
    for (let round = 0; round < 2; round++) {
      fill(world, 4);
      const racing = Object.assign(world.context(), { settings: { maxStepRows: 7, maxAttempts: 3, baseDelayMs: 5 } });
      const racers = [world.context(), racing].map(context => compactStream(context, definition, world.log.head));
      await Promise.allSettled([...racers, maintainTable(world.context(), definition, { full: true })]);
      await expectTableEqualsLog(world, (await world.states().latest())!);
    }
    const state = await world.compact();
    expect(state!.logSeq).toBe(world.log.head);
    await expectTableEqualsLog(world, state!);
  });
});
