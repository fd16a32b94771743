import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.ts';
import { count, featureView, sum, Tailwater } from '../../src/index.ts';
import { temporaryFolder } from '../server/engine-support.ts';

const START_MS = 1_767_225_600_000;
const DAY_MS = 86_400_000;

const baskets = featureView('baskets', {
  source: 'items',
  entity: 'user',
  features: { items: count().lifetime(), value: sum('price').lifetime().default(0) },
});

describe('a view of an upsert stream', () => {
  test('that slept until a deletion and an update were no longer kept does not hold what they took away', async () => {
    await using folder = await temporaryFolder();
    const dataDir = join(folder.path, 'data');
    const views = join(dataDir, 'objects', 'features');
    const asleep = join(folder.path, 'asleep');
    const clock = { ...systemClock, now: START_MS, nowMs: (): number => clock.now };
    const open = () => Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false }, clock });
    const item = (id: string, price: number) => ({ key: id, value: { id, user: 'ann', price } });

    const before = await open();
    await before.createStream('items', { kind: 'upsert', key: 'id', history: 'P1D' });
    await before.features.apply(baskets);
    await before.append('items', [item('mug', 5), item('pot', 20), item('pan', 30)]);
    const seen = await before.features.online(baskets, { entities: ['ann'] });
    expect(seen.entities[0].values).toEqual({ items: 3, value: 55 });
    await before.close();
    await cp(views, asleep, { recursive: true });

    // Meanwhile the view is nowhere.
    await rm(views, { recursive: true });
    const meanwhile = await open();
    await meanwhile.append('items', [{ key: 'pot', value: null }, item('pan', 31), item('cup', 4)]);
    await meanwhile.compact('items');
    clock.now += 3 * DAY_MS;
    await meanwhile.append('items', [item('jug', 8)]);
    await meanwhile.compact('items', { full: true });
    await expect(meanwhile.read('items', { from: 0 })).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
    await meanwhile.close();

    await rm(views, { recursive: true, force: true });
    await cp(asleep, views, { recursive: true });
    const after = await open();
    const answer = await after.features.online(baskets, { entities: ['ann'] });
    expect(answer.entities[0].values).toEqual({ items: 4, value: 48 });
    await after.close();
  });
});
