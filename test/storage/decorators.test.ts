import { describe, expect, test } from 'vitest';
import { seededRandom, TailwaterError, utf8 } from '../../src/base/index.ts';
import { MemoryObjectStore, type ObjectStore, withCounting, withPrefix, withRetries } from '../../src/storage/index.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';
import { instantClock } from './instant-clock.ts';

objectStoreConformance(
  'A store with every decorator',
  async () => {
    const memory = new MemoryObjectStore();
    const decorate = (store: ObjectStore): ObjectStore =>
      withRetries(withCounting(withPrefix(store, 'tenants/one')).store, { clock: instantClock(), random: seededRandom(1) });
    return {
      store: decorate(memory),
      other: decorate(memory),
      damage: key => memory.damage(`tenants/one/${key}`),
      putForeign: (key, bytes) => memory.putForeign(`tenants/one/${key}`, bytes),
    };
  },
  { keysMayNest: true, histories: 100 },
);

describe('withRetries', () => {
  const failing = (times: number, error: () => Error): { store: ObjectStore; calls: () => number } => {
    let calls = 0;
    const memory = new MemoryObjectStore();
    const fail = async <T>(work: () => Promise<T>): Promise<T> => {
      if (calls++ < times) throw error();
      return work();
    };
    const store: ObjectStore = {
      put: (key, bytes, condition) => fail(() => memory.put(key, bytes, condition)),
      get: key => fail(() => memory.get(key)),
      head: key => fail(() => memory.head(key)),
      list: prefix => fail(() => memory.list(prefix)),
      delete: keys => fail(() => memory.delete(keys)),
    };
    return { store, calls: () => calls };
  };

  test('it gives up after its attempts, with pauses that grow and never exceed their bounds', async () => {
    const clock = instantClock();
    const { store, calls } = failing(99, () => new TailwaterError('TW_STORAGE_UNAVAILABLE'));
    const patient = withRetries(store, { clock, random: seededRandom(1), attempts: 12, baseDelayMs: 10 });
    await expect(patient.get('a')).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    expect(calls()).toBe(12);
    expect(clock.sleptMs.length).toBe(11);
    clock.sleptMs.forEach((ms, index) => {
      expect(ms).toBeLessThanOrEqual(Math.min(5_000, 10 * 2 ** index));
    });
  });

  test('it waits at least as long as the store asks for', async () => {
    const clock = instantClock();
    const { store } = failing(1, () => new TailwaterError('TW_STORAGE_UNAVAILABLE', { retryAfterMs: 700 }));
    await withRetries(store, { clock, random: seededRandom(1) }).get('a');
    expect(clock.sleptMs[0]).toBeGreaterThanOrEqual(700);
  });

  test('errors that another attempt cannot mend are thrown at once', async () => {
    for (const code of ['TW_DATA_DAMAGED', 'TW_STORAGE_FULL', 'TW_BAD_REQUEST'] as const) {
      const { store, calls } = failing(99, () => new TailwaterError(code));
      await expect(withRetries(store, { clock: instantClock(), random: seededRandom(1) }).get('a')).rejects.toMatchObject({
        code,
      });
      expect(calls()).toBe(1);
    }
  });

  test('an unconditional put in doubt is sent again, a conditional one is not', async () => {
    let puts = 0;
    const memory = new MemoryObjectStore();
    const store: ObjectStore = Object.assign(Object.create(memory), {
      put: async () => ({ kind: 'unknown', cause: ++puts }),
    });
    const patient = withRetries(store, { clock: instantClock(), random: seededRandom(1), attempts: 3 });
    expect(await patient.put('a', utf8('x'))).toEqual({ kind: 'unknown', cause: 3 });
    expect(await patient.put('a', utf8('x'), { ifAbsent: true })).toEqual({ kind: 'unknown', cause: 4 });
    expect(await patient.put('a', utf8('x'), { ifMatch: 'e' })).toEqual({ kind: 'unknown', cause: 5 });
  });
});

test('withCounting counts calls, outcomes, bytes and errors', async () => {
  const memory = new MemoryObjectStore();
  const { store, stats } = withCounting(memory);
  await store.put('a', utf8('12345'), { ifAbsent: true });
  await store.put('a', utf8('123'), { ifAbsent: true });
  await store.put('a', utf8('123'), { ifMatch: 'other' });
  await store.get('a');
  await store.get('none');
  await store.head('a');
  await store.list('');
  memory.damage('a');
  await store.get('a').catch(() => {});
  await store.delete(['a', 'b']);
  expect(stats()).toEqual({
    ...{ puts: 3, gets: 3, heads: 1, lists: 1, deletes: 1 },
    ...{ exists: 1, mismatch: 1, unknown: 0, errors: 1, bytesWritten: 5, bytesRead: 5 },
  });
});

test('withPrefix neither sees nor touches what lies beside its prefix', async () => {
  const memory = new MemoryObjectStore();
  await memory.put('one/a', utf8('inside'));
  await memory.put('one-more/a', utf8('beside'));
  const store = withPrefix(memory, 'one');
  expect(await store.list('')).toEqual([{ key: 'a', size: 6 }]);
  await expect(store.get('../one-more/a')).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
  await store.delete(['a']);
  expect((await memory.list('')).map(({ key }) => key)).toEqual(['one-more/a']);
});
