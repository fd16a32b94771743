import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromUtf8, isTailwaterError, type Random, seededRandom, utf8 } from '../../src/base/index.ts';
import { MemoryObjectStore, type ObjectStore, VersionedDocument } from '../../src/storage/index.ts';

/** Loses the replies of a share of the puts, half of them before they take effect, and makes others wait their turn. */
function losingReplies(store: ObjectStore, random: Random, share: number): ObjectStore {
  return {
    put: async (key, bytes, condition) => {
      for (let turns = Math.floor(random.float() * 8); turns > 0; turns--) await null;
      const isLost = random.float() < share;
      if (isLost && random.float() < 0.5) return { kind: 'unknown', cause: 'lost before' };
      const outcome = await store.put(key, bytes, condition);
      return isLost ? { kind: 'unknown', cause: 'lost after' } : outcome;
    },
    get: (key, options) => store.get(key, options),
    head: key => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    delete: keys => store.delete(keys),
  };
}

describe('a versioned document', () => {
  test('applies every change exactly once, whatever replies are lost, and says so where it cannot know', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 30 }),
        fc.double({ min: 0, max: 0.6, noNaN: true }),
        async (seed, writers, share) => {
          const random = seededRandom(seed);
          const memory = new MemoryObjectStore();
          const store = losingReplies(memory, random, share);
          const outcomes = await Promise.all(
            Array.from({ length: writers }, async () => {
              const counter = new VersionedDocument<{ count: number }>(store, 'counter', undefined, random);
              try {
                for (let times = 0; times < 3; times++) await counter.update(value => ({ count: (value?.count ?? 0) + 1 }));
                return { applied: 3, inDoubt: 0 };
              } catch (error) {
                if (!isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) throw error;
                return { applied: 0, inDoubt: 3 };
              }
            }),
          );
          const applied = outcomes.reduce((sum, outcome) => sum + outcome.applied, 0);
          const inDoubt = outcomes.reduce((sum, outcome) => sum + outcome.inDoubt, 0);
          const { value } = (await new VersionedDocument<{ count: number }>(memory, 'counter').read())!;
          expect(value.count).toBeGreaterThanOrEqual(applied);
          expect(value.count).toBeLessThanOrEqual(applied + inDoubt);
          if (share === 0) expect(inDoubt).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('no change writes nothing and returns the value that is there', async () => {
    const memory = new MemoryObjectStore();
    const document = new VersionedDocument<string>(memory, 'document');
    expect(await document.update(() => null)).toBeNull();
    expect(await document.read()).toBeNull();
    await document.update(() => 'kept');
    const before = await document.read();
    expect(await document.update(() => null)).toBe('kept');
    expect(await document.read()).toEqual(before);
  });

  test('a write that is sent again and again without an answer ends as TW_OUTCOME_UNKNOWN', async () => {
    const silent = losingReplies(new MemoryObjectStore(), { float: () => 0.1, bytes: length => new Uint8Array(length) }, 1);
    await expect(new VersionedDocument<number>(silent, 'document').update(() => 1)).rejects.toMatchObject({
      code: 'TW_OUTCOME_UNKNOWN',
    });
  });

  test('a lost reply is settled after a few other writes, and in doubt after so many that they hide it', async () => {
    for (const [others, expected] of [
      [10, 11],
      [20, 'TW_OUTCOME_UNKNOWN'],
    ]) {
      const memory = new MemoryObjectStore();
      const increment = (count: number | null): number => (count ?? 0) + 1;
      const store: ObjectStore = Object.assign(losingReplies(memory, seededRandom(1), 0), {
        put: async (...call: Parameters<ObjectStore['put']>) => {
          await memory.put(...call);
          for (let times = 0; times < Number(others); times++)
            await new VersionedDocument<number>(memory, 'counter').update(increment);
          return { kind: 'unknown', cause: 'lost after' };
        },
      });
      const outcome = await new VersionedDocument<number>(store, 'counter').update(increment).catch(error => error.code);
      expect(outcome).toBe(typeof expected === 'number' ? 1 : expected);
      expect((await new VersionedDocument<number>(memory, 'counter').read())?.value).toBe(Number(others) + 1);
    }
  });

  test('an own codec decides the bytes of the value', async () => {
    const memory = new MemoryObjectStore();
    const codec = {
      encode: (value: bigint) => utf8(value.toString(16)),
      decode: (bytes: Uint8Array) => BigInt(`0x${fromUtf8(bytes)}`),
    };
    const document = new VersionedDocument<bigint>(memory, 'big', codec);
    await document.update(() => 2n ** 64n);
    expect((await document.read())?.value).toBe(2n ** 64n);
    expect(fromUtf8((await memory.get('big'))!.bytes)).toMatch(/\n10000000000000000$/);
  });

  test('an object that is no document is damage, one of a later format is refused, and neither is overwritten', async () => {
    const memory = new MemoryObjectStore();
    const document = new VersionedDocument<number>(memory, 'document');
    for (const [content, code] of [
      ['', 'TW_DATA_DAMAGED'],
      ['{"a":1}', 'TW_DATA_DAMAGED'],
      ['nonsense\n1', 'TW_DATA_DAMAGED'],
      ['{"tailwaterDocument":1,"writes":[]}\n1,', 'TW_DATA_DAMAGED'],
      ['{"tailwaterDocument":2,"writes":[]}\n1', 'TW_FORMAT_TOO_NEW'],
    ]) {
      await memory.put('document', utf8(content));
      await expect(document.update(() => 1)).rejects.toMatchObject({ code });
      expect(fromUtf8((await memory.get('document'))!.bytes)).toBe(content);
    }
  });
});
