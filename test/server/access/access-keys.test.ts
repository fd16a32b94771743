import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/index.ts';
import { AccessKeys } from '../../../src/server/access/access-keys.ts';
import { listAll, MemoryObjectStore, type ObjectStore } from '../../../src/storage/index.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';

function nodes() {
  const clock = new VirtualClock();
  const store = new MemoryObjectStore();
  let down = false;
  const failing: ObjectStore = {
    put: store.put.bind(store),
    get: (...asked) => (down ? Promise.reject(new Error('The store is down.')) : store.get(...asked)),
    head: store.head.bind(store),
    list: store.list.bind(store),
    delete: store.delete.bind(store),
  };
  const fail = (isDown: boolean): void => {
    down = isDown;
  };
  const open = (seed: number): AccessKeys => new AccessKeys(failing, clock, seededRandom(seed));
  return { clock, store, one: open(1), two: open(2), fail };
}

describe('the keys of a deployment', () => {
  test('made on one node work on another at once, and are refused everywhere 5 seconds after they were deleted', async () => {
    const { clock, one, two } = nodes();
    const before = await one.create({ name: 'before' });
    expect(await two.find(before.key)).toMatchObject({ name: 'before', scopes: ['read'], streams: null });
    await clock.advance(1000);
    const made = await one.create({ name: 'importer', scopes: ['write', 'read'], streams: ['orders.'] });
    expect(await two.find(made.key)).toMatchObject({ name: 'importer', scopes: ['read', 'write'], streams: ['orders.'] });
    await one.remove(made.id);
    expect(await one.find(made.key)).toBeNull();
    await clock.advance(5000);
    expect(await two.find(made.key)).toBeNull();
    expect((await two.list()).map(({ name }) => name)).toEqual(['before']);
    await expect(two.remove(made.id)).rejects.toMatchObject({ code: 'TW_API_KEY_NOT_FOUND' });
  });

  test('are not in the store, nor in lists, nor any part of what makes them work', async () => {
    const { store, one } = nodes();
    const { key, id } = await one.create({ name: 'secret' });
    const secret = key.slice(key.lastIndexOf('_') + 1);
    expect(secret.length).toBeGreaterThan(40);
    let stored = '';
    for await (const object of listAll(store, '')) stored += Buffer.from((await store.get(object.key))!.bytes).toString();
    expect(stored).toContain(id);
    expect(stored).not.toContain(secret);
    expect(JSON.stringify(await one.list())).not.toContain(secret);
  });

  test('end when they expire, and are nobody’s when one character differs', async () => {
    const { clock, one } = nodes();
    const expiresAt = new Date(clock.nowMs() + 60_000).toISOString();
    const { key } = await one.create({ name: 'short', expiresAt });
    expect(await one.find(key)).not.toBeNull();
    for (let at = 3; at < key.length; at++) {
      const other = key.slice(0, at) + (key[at] === 'a' ? 'b' : 'a') + key.slice(at + 1);
      if (other !== key) expect(await one.find(other), other).toBeNull();
    }
    await clock.advance(60_000);
    expect(await one.find(key)).toBeNull();
  });

  test('are not guessed from memory when the store cannot be asked', async () => {
    const { clock, one, two, fail } = nodes();
    const { key } = await one.create({ name: 'a' });
    await two.find(key);
    await clock.advance(5000);
    fail(true);
    await expect(two.find(key)).rejects.toThrow('down');
    fail(false);
    expect(await two.find(key)).not.toBeNull();
  });

  test('that make no sense are refused, and nothing is stored', async () => {
    const { one } = nodes();
    for (const input of [
      { name: ' ' },
      { name: 'x'.repeat(201) },
      { name: 'a', scopes: [] },
      { name: 'a', streams: [] },
      { name: 'a', streams: [''] },
      { name: 'a', scopes: ['admin' as const], streams: ['orders.'] },
      { name: 'a', expiresAt: 'soon' },
      { name: 'a', expiresAt: '2001-01-01T00:00:00Z' },
    ])
      await expect(one.create(input), JSON.stringify(input)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    expect(await one.list()).toEqual([]);
  });
});
