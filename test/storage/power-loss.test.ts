import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromUtf8, isTailwaterError, type Random, seededRandom, utf8 } from '../../src/base/index.ts';
import { FileObjectStore, type ObjectStore, type PutCondition } from '../../src/storage/index.ts';
import { SimFileSystem } from '../harness/sim-file-system.ts';

const KEYS = ['a/1', 'a/2', 'b/c/1', 'd'];

/** What one object may hold after the machine stops now: the content of the last acknowledged call, or of any call since whose end is open. */
class Expectation {
  possible = new Set<string | null>([null]);

  certain(content: string | null): void {
    this.possible = new Set([content]);
  }

  open(content: string | null): void {
    this.possible.add(content);
  }
}

test('when the machine stops at any call, what was acknowledged is there, and nothing is torn (S1, S3)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 0, max: 250 }), async (seed, crashAtCall) => {
      const random = seededRandom(seed);
      const disk = new SimFileSystem(random);
      disk.crashAtCall = crashAtCall;
      const handles = [new FileObjectStore(disk, '/data/objects', random), new FileObjectStore(disk, '/data/objects', random)];
      const expectations = KEYS.map(() => new Expectation());
      await Promise.all(KEYS.map((key, index) => useObject(handles[index % 2], key, expectations[index], random)));
      const after = new FileObjectStore(disk.crash(), '/data/objects', random);
      for (const [index, key] of KEYS.entries()) {
        const found = await after.get(key);
        expect([...expectations[index].possible]).toContain(found === null ? null : fromUtf8(found.bytes));
      }
      expect(await after.put('a/next', utf8('works'), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
      expect((await after.list('')).map(({ key }) => key)).toContain('a/next');
    }),
    { numRuns: 400 },
  );
});

async function useObject(store: ObjectStore, key: string, expectation: Expectation, random: Random): Promise<void> {
  let etag: string | null = null;
  try {
    for (let step = 0; step < 6; step++) {
      const content = `${key} step ${step}`;
      if (etag !== null && random.float() < 0.3) {
        expectation.open(null);
        await store.delete([key]);
        expectation.certain(null);
        etag = null;
        continue;
      }
      const condition: PutCondition | undefined =
        random.float() < 0.3 ? undefined : etag === null ? { ifAbsent: true } : { ifMatch: etag };
      expectation.open(content);
      const outcome = await store.put(key, utf8(content), condition);
      if (outcome.kind !== 'ok') return;
      expectation.certain(content);
      etag = outcome.etag;
    }
  } catch (error) {
    if (!isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')) throw error;
  }
}

test('who is told that an object exists still finds it after the machine stops', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 0, max: 60 }), async (seed, crashAtCall) => {
      const random = seededRandom(seed);
      const disk = new SimFileSystem(random);
      disk.crashAtCall = crashAtCall;
      const writers = Array.from({ length: 5 }, () => new FileObjectStore(disk, '/objects', random));
      const outcomes = await Promise.allSettled(
        writers.map(writer => writer.put('journal/1', utf8('entry'), { ifAbsent: true })),
      );
      const isThere = outcomes.some(
        ({ status, ...rest }) => status === 'fulfilled' && 'value' in rest && rest.value.kind === 'exists',
      );
      const found = await new FileObjectStore(disk.crash(), '/objects', random).get('journal/1');
      if (isThere) expect(found).not.toBeNull();
    }),
    { numRuns: 400 },
  );
});
