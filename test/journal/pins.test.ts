import { beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { Pins } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { FaultyObjectStore } from '../harness/faulty-object-store.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

let clock: VirtualClock;
let store: MemoryObjectStore;

beforeEach(() => {
  clock = new VirtualClock();
  store = new MemoryObjectStore();
});

function pinsOf(node: string, seed = 1): Pins {
  return new Pins(store, node, clock, seededRandom(seed));
}

describe('pins', () => {
  test('of every node are seen by every node until they are released', async () => {
    const [first, second] = [pinsOf('node-1', 1), pinsOf('node-2', 2)];
    const pin = await first.create({ stream: 'orders', state: 4 }, 1000);
    await second.create({ stream: 'clicks' }, 5000);
    expect(await second.list()).toEqual([
      { node: 'node-1', id: pin.id, what: { stream: 'orders', state: 4 }, expiresAtMs: clock.nowMs() + 1000 },
      expect.objectContaining({ node: 'node-2', what: { stream: 'clicks' } }),
    ]);
    await pin.release();
    await pin.release();
    expect((await first.list()).map(record => record.node)).toEqual(['node-2']);
  });

  test('run out by themselves, and a renewal in time keeps them', async () => {
    const pins = pinsOf('node-1');
    const kept = await pins.create({ name: 'kept' }, 1000);
    await pins.create({ name: 'left alone' }, 1000);
    await clock.advance(900);
    await kept.renew(1000);
    await clock.advance(900);
    expect((await pins.list()).map(record => record.what)).toEqual([{ name: 'kept' }]);
  });

  test('that have run out cannot be renewed: what they named may be gone', async () => {
    const pin = await pinsOf('node-1').create({}, 1000);
    await clock.advance(1000);
    await expect(pin.renew(1000)).rejects.toMatchObject({ code: 'TW_SNAPSHOT_EXPIRED' });
    expect(await pinsOf('node-1').list()).toEqual([]);
  });

  test('are not renewed when the old term ends while the renewal is being written', async () => {
    const slow = new FaultyObjectStore(store, clock, seededRandom(1), { maxDelayMs: 2000 });
    const pin = await clock.run(new Pins(slow, 'node-1', clock, seededRandom(2)).create({}, 3000));
    slow.faults.maxDelayMs = 100_000;
    const renewing = pin.renew(500_000);
    await expect(clock.run(renewing)).rejects.toMatchObject({ code: 'TW_SNAPSHOT_EXPIRED' });
  });

  test('that nodes left behind are removed after the grace time, and no others', async () => {
    const pins = pinsOf('node-1');
    await pins.create({ name: 'left behind' }, 1000);
    await pins.create({ name: 'alive' }, 100_000);
    await clock.advance(5_999);
    expect(await pins.removeExpired(5000)).toBe(0);
    await clock.advance(1);
    expect(await pins.removeExpired(5000)).toBe(1);
    expect(await store.list('pins/')).toHaveLength(1);
  });

  test('are written again when a reply is lost, and reported when they cannot be written', async () => {
    const lossy = new FaultyObjectStore(store, clock, seededRandom(4), { lostReply: 0.5 });
    const pins = new Pins(lossy, 'node-1', clock, seededRandom(2));
    const pin = await pins.create({}, 1000);
    expect((await pins.list()).map(record => record.id)).toEqual([pin.id]);
    lossy.faults.lostReply = 1;
    await expect(pins.create({}, 1000)).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
  });

  test('of which one cannot be read stop the collector rather than being overlooked', async () => {
    const pin = await pinsOf('node-1').create({}, 1000);
    await store.put(`pins/node-1/${pin.id}`, new TextEncoder().encode('not a pin'));
    await expect(pinsOf('node-1').list()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
  });
});
