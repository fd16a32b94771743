import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { Pins } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

function setUp() {
  const clock = new VirtualClock();
  const store = new MemoryObjectStore();
  const pinsOf = (node: string, seed: number) => new Pins(store, node, clock, seededRandom(seed));
  return { clock, one: pinsOf('one', 1), two: pinsOf('two', 2) };
}

describe('a pin', () => {
  test('is seen by every node from its creation until it is released or runs out', async () => {
    const { clock, one, two } = setUp();
    const released = await one.create({ table: 'a', state: 3 }, 1000);
    await one.create({ table: 'b', state: 4 }, 2000);
    expect((await two.list()).map(pin => pin.what.table).sort()).toEqual(['a', 'b']);
    await released.release();
    expect((await two.list()).map(pin => pin.what.table)).toEqual(['b']);
    await clock.advance(2000);
    expect(await two.list()).toEqual([]);
  });

  test('can be renewed within its term, and ends what it served when it had run out', async () => {
    const { clock, one, two } = setUp();
    const pin = await one.create({ scan: 1 }, 1000);
    await clock.advance(900);
    await pin.renew(1000);
    await clock.advance(900);
    expect(await two.list()).toHaveLength(1);
    await clock.advance(100);
    await expect(pin.renew(1000)).rejects.toMatchObject({ code: 'TW_SNAPSHOT_EXPIRED' });
  });

  test('left behind by a node that died is removed after the grace time, not before', async () => {
    const { clock, one, two } = setUp();
    await one.create({ scan: 1 }, 1000);
    await clock.advance(5999);
    expect(await two.removeExpired(5000)).toBe(0);
    await clock.advance(1);
    expect(await two.removeExpired(5000)).toBe(1);
  });
});
