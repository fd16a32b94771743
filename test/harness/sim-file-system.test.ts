import { describe, expect, test } from 'vitest';
import { fromUtf8, seededRandom, utf8 } from '../../src/base/index.ts';
import { SimFileSystem } from './sim-file-system.ts';

async function written(fs: SimFileSystem, path: string, text: string): Promise<void> {
  const file = await fs.open(path, 'create');
  await file.write(utf8(text), 0);
}

async function textAfterCrash(seed: number, act: (fs: SimFileSystem) => Promise<void>): Promise<string | null> {
  const fs = new SimFileSystem(seededRandom(seed));
  await fs.mkdir('/data');
  await fs.syncFolder('/');
  await act(fs);
  const after = fs.crash();
  return (await after.stat('/data/a')) === null ? null : fromUtf8(await after.readFile('/data/a'));
}

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);

describe('SimFileSystem', () => {
  test('what is synced, with its name, survives every crash', async () => {
    for (const seed of SEEDS) {
      const text = await textAfterCrash(seed, async fs => {
        await written(fs, '/data/a', 'kept');
        await (await fs.open('/data/a', 'write')).datasync();
        await fs.syncFolder('/data');
      });
      expect(text).toBe('kept');
    }
  });

  test('a name that was not synced may be lost, and bytes that were not synced may be lost or torn', async () => {
    const unnamed = new Set<string | null>();
    const unsynced = new Set<string | null>();
    for (const seed of SEEDS) {
      unnamed.add(
        await textAfterCrash(seed, async fs => {
          await written(fs, '/data/a', 'x');
          await (await fs.open('/data/a', 'write')).datasync();
        }),
      );
      unsynced.add(
        await textAfterCrash(seed, async fs => {
          await written(fs, '/data/a', 'bytes');
          await fs.syncFolder('/data');
        }),
      );
    }
    expect([...unnamed].sort()).toEqual(['x', null].sort());
    expect(unsynced).toContain('');
    expect(unsynced).toContain('bytes');
    expect(unsynced.size).toBeGreaterThan(2);
  });

  test('a failed sync gives its bytes up: a later successful one does not make them durable', async () => {
    const seen = new Set<string | null>();
    for (const seed of SEEDS) {
      seen.add(
        await textAfterCrash(seed, async fs => {
          await written(fs, '/data/a', 'bytes');
          await fs.syncFolder('/data');
          const file = await fs.open('/data/a', 'write');
          fs.fault = ({ call }) => (call === 'datasync' ? { code: 'EIO' } : null);
          await expect(file.datasync()).rejects.toMatchObject({ code: 'EIO' });
          fs.fault = () => null;
          await expect(file.datasync()).rejects.toMatchObject({ code: 'EIO' });
          await (await fs.open('/data/a', 'write')).datasync();
        }),
      );
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  test('a full disk takes what fits and says so', async () => {
    const fs = new SimFileSystem(seededRandom(1));
    fs.capacityBytes = 3;
    await expect(written(fs, '/a', 'abcdef')).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(fromUtf8(await fs.readFile('/a'))).toBe('abc');
  });

  test('nothing works on the file system of a process that has died, and a kill loses nothing', async () => {
    const fs = new SimFileSystem(seededRandom(1));
    await written(fs, '/a', 'unsynced');
    const next = fs.kill();
    await expect(fs.readFile('/a')).rejects.toMatchObject({ code: 'EIO' });
    expect(fromUtf8(await next.readFile('/a'))).toBe('unsynced');
  });

  test('a call that was under way when the process died changes nothing afterwards', async () => {
    const fs = new SimFileSystem(seededRandom(1));
    await written(fs, '/a', 'x');
    const late = fs.rename('/a', '/b');
    const next = fs.kill();
    await expect(late).rejects.toMatchObject({ code: 'EIO' });
    for (let at = 0; at < 10; at++) expect(next.crash().paths().includes('/b')).toBe(false);
  });
});
