import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8, systemRandom, utf8 } from '../../src/base/index.ts';
import {
  MemoryObjectStore,
  nodeFileSystem,
  ObjectCache,
  type ObjectStore,
  withCache,
  withCounting,
} from '../../src/storage/index.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';

let folder: string;
const open: ObjectCache[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailwater-cache-'));
});

afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close();
  await rm(folder, { recursive: true, force: true });
});

async function openCache(
  options: { disk?: number; memory?: number; owner?: string; isGone?: boolean } = {},
): Promise<ObjectCache> {
  const { disk = 1_000_000, memory = 0, owner = '1-a', isGone = false } = options;
  const cache = await ObjectCache.open({
    fs: nodeFileSystem,
    random: systemRandom,
    folder,
    maxDiskBytes: disk,
    maxMemoryBytes: memory,
    owner,
    isGone: () => isGone,
  });
  open.push(cache);
  return cache;
}

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

async function written(cache: ObjectCache, key: string, content: Uint8Array): Promise<void> {
  cache.add(key, content);
  await cache.close();
}

objectStoreConformance(
  'A store with a cache of what cannot change',
  async () => {
    const memory = new MemoryObjectStore();
    return { store: withCache(memory, await openCache(), () => false), other: memory };
  },
  { keysMayNest: true, histories: 20 },
);

describe('a cache of immutable objects', () => {
  test('answers what was read or created without asking the store again, by ranges too, also in the next process', async () => {
    const { store, stats } = withCounting(new MemoryObjectStore());
    const cached = withCache(store, await openCache(), key => key.startsWith('log/'));
    await cached.put('log/1', utf8('first segment'), { ifAbsent: true });
    await store.put('log/2', utf8('second segment'));
    await cached.get('log/2');
    await open[0].close();
    const next = withCache(store, await openCache({ owner: '2-b' }), key => key.startsWith('log/'));
    const before = stats().gets;
    const textOf = async (each: ObjectStore, key: string, range?: { start: number; end: number }): Promise<string> =>
      fromUtf8((await each.get(key, range && { range }))!.bytes);
    for (const each of [cached, next]) {
      expect(await textOf(each, 'log/1')).toBe('first segment');
      expect(await textOf(each, 'log/2')).toBe('second segment');
      expect(await textOf(each, 'log/2', { start: 7, end: 99 })).toBe('segment');
    }
    expect(stats().gets).toBe(before);
  });

  test('never keeps what may change, and nothing that was refused', async () => {
    const memory = new MemoryObjectStore();
    const cached = withCache(memory, await openCache(), key => key.startsWith('log/'));
    await cached.put('floor', utf8('1'));
    await cached.get('floor');
    await memory.put('floor', utf8('2'));
    expect((await cached.get('floor'))!.bytes).toEqual(utf8('2'));
    await memory.put('log/1', utf8('theirs'));
    expect(await cached.put('log/1', utf8('ours'), { ifAbsent: true })).toEqual({ kind: 'exists' });
    for (const content of ['an engine’s', 'another']) {
      memory.putForeign('log/foreign', utf8(content));
      const { etag } = (await cached.head('log/foreign'))!;
      expect((await cached.get('log/foreign', { foreign: { etag } }))!.bytes).toEqual(utf8(content));
    }
    expect((await cached.get('log/1'))!.bytes).toEqual(utf8('theirs'));
  });

  test('serves nothing of a file that a crash tore or that was damaged, and reads it again', async () => {
    await written(await openCache(), 'torn', utf8('a whole object'));
    await written(await openCache(), 'flipped', utf8('another object'));
    const files = await filesIn(join(folder, 'objects'));
    for (const file of files) {
      const content = await readFile(file);
      if (content.toString() === 'a whole object') await truncate(file, 5);
      else
        await writeFile(
          file,
          content.map(byte => byte ^ 1),
        );
    }
    const cache = await openCache();
    expect(await cache.read('torn')).toBeNull();
    expect(await cache.read('flipped')).toBeNull();
    const fetched = await cache.hold('torn', async () => utf8('a whole object'));
    expect(await readFile(cache.heldPath('torn'), 'utf8')).toBe('a whole object');
    fetched!();
  });

  test('is bounded on disk and in memory, whatever is added and read, and what is held stays readable', async () => {
    const sizes = fc.array(fc.record({ key: fc.integer({ min: 0, max: 30 }), bytes: fc.integer({ min: 1, max: 400 }) }), {
      minLength: 1,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async steps => {
        await rm(folder, { recursive: true, force: true });
        const cache = await openCache({ disk: 1000, memory: 800 });
        const contents = new Map<string, Uint8Array>();
        const contentOf = (key: string, bytes: number): Uint8Array => {
          const content = contents.get(key) ?? Buffer.alloc(bytes, key);
          contents.set(key, content);
          return content;
        };
        const held = await cache.hold('held', async () => Buffer.alloc(300, 'held'));
        for (const step of steps) {
          const key = `key-${step.key}`;
          const content = contentOf(key, step.bytes);
          const found = await cache.read(key);
          if (found !== null) expect(Buffer.from(found)).toEqual(Buffer.from(content));
          else await written(cache, key, content);
        }
        const files = await filesIn(join(folder, 'objects'));
        const bytes = files.reduce((sum, file) => sum + Number(file.split('-').at(-1)), 0);
        expect(bytes).toBeLessThanOrEqual(1000);
        expect(cache.stats().memoryBytes).toBeLessThanOrEqual(800);
        expect(await readFile(cache.heldPath('held'))).toEqual(Buffer.alloc(300, 'held'));
        held!();
      }),
      { numRuns: 20 },
    );
  });

  test('fetches what many want to hold once, and lets go with the last of them', async () => {
    const cache = await openCache();
    let fetched = 0;
    const fetch = async (): Promise<Uint8Array> => {
      fetched++;
      return utf8('rows');
    };
    const releases = await Promise.all([1, 2, 3].map(() => cache.hold('file', fetch)));
    expect(fetched).toBe(1);
    releases[0]!();
    releases[0]!();
    releases[1]!();
    expect(await readFile(cache.heldPath('file'), 'utf8')).toBe('rows');
    releases[2]!();
    await cache.close();
    await expect(readFile(cache.heldPath('file'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await cache.hold('file', fetch)).not.toBeNull();
    expect(await readFile(cache.heldPath('file'), 'utf8')).toBe('rows');
    expect(await cache.hold('nothing', async () => null)).toBeNull();
  });

  test('two processes keep to one bound, and what one that died held is removed', async () => {
    const one = await openCache({ disk: 10_000, owner: '1-a' });
    const two = await openCache({ disk: 10_000, owner: '2-b' });
    await one.hold('kept by the dead', async () => Buffer.alloc(100));
    for (let round = 0; round < 40; round++) {
      await written(one, `one-${round}`, Buffer.alloc(500, round));
      await written(two, `two-${round}`, Buffer.alloc(500, round + 100));
    }
    const files = await filesIn(join(folder, 'objects'));
    expect(files.length * 500).toBeLessThanOrEqual(10_000 * 1.25);
    expect(await filesIn(join(folder, 'held'))).toHaveLength(1);
    await openCache({ owner: '3-c', isGone: true });
    expect(await filesIn(join(folder, 'held'))).toHaveLength(0);
  });
});
