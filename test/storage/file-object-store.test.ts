import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { crc32c, fromUtf8, seededRandom, systemRandom, utf8 } from '../../src/base/index.ts';
import { FileObjectStore, nodeFileSystem } from '../../src/storage/index.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';
import { FaultyFileSystem } from './faulty-file-system.ts';

let folder: string;
let fs: FaultyFileSystem;
let store: FileObjectStore;
const HEADER_BYTES = 32;

async function freshFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'tailwater-objects-'));
}

async function flipByte(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] ^= 1;
  await writeFile(path, bytes);
}

objectStoreConformance(
  'FileObjectStore',
  async () => {
    const root = await freshFolder();
    const faulty = new FaultyFileSystem(nodeFileSystem);
    return {
      store: new FileObjectStore(faulty, root, systemRandom),
      other: new FileObjectStore(nodeFileSystem, root, systemRandom),
      damage: key => flipByte(join(root, `${key}.obj`), HEADER_BYTES),
      // The call that gives the name fails, before or after its effect.
      loseNextReply: applied => faulty.failNext(['link', 'rename'], 'EIO', applied),
      close: () => rm(root, { recursive: true }),
    };
  },
  { keysMayNest: true, histories: 20 },
);

describe('FileObjectStore', () => {
  beforeEach(async () => {
    folder = await freshFolder();
    fs = new FaultyFileSystem(nodeFileSystem);
    store = new FileObjectStore(fs, join(folder, 'deep/objects'), seededRandom(1));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const reopened = (): FileObjectStore => new FileObjectStore(nodeFileSystem, join(folder, 'deep/objects'), seededRandom(2));
  const pathOf = (name: string): string => join(folder, 'deep/objects', name);
  const temporaryFiles = (): Promise<string[]> => readdir(pathOf('.tmp'));

  test('content, name and every new folder are synced in that order before a put returns (S3)', async () => {
    await store.put('a/b/c', utf8('content'), { ifAbsent: true });
    const order = fs.calls.map(({ call, path }) => `${call} ${path.replace(folder, '')}`.replace(/\.tmp\/\w+/, '.tmp/file'));
    const at = (call: string): number => order.lastIndexOf(call);
    expect(at('file.datasync /deep/objects/.tmp/file')).toBeGreaterThan(at('file.write /deep/objects/.tmp/file'));
    expect(at('link /deep/objects/a/b/c.obj')).toBeGreaterThan(at('file.datasync /deep/objects/.tmp/file'));
    expect(at('syncFolder /deep/objects/a/b')).toBeGreaterThan(at('link /deep/objects/a/b/c.obj'));
    for (const parent of ['', '/deep', '/deep/objects', '/deep/objects/a']) expect(order).toContain(`syncFolder ${parent}`);
  });

  test('a crash at any point of a put leaves the old object or the new one, whole, and no rubbish after the next write', async () => {
    for (const kind of ['create', 'replace'] as const) {
      for (let crashAt = 0, finished = false; !finished; crashAt++) {
        const key = `${kind}/${crashAt}`;
        const first = kind === 'replace' ? await reopened().put(key, utf8('old')) : null;
        const crashing = new FaultyFileSystem(nodeFileSystem);
        crashing.callsUntilCrash = crashAt;
        const victim = new FileObjectStore(crashing, pathOf(''), seededRandom(crashAt));
        const condition = first?.kind === 'ok' ? { ifMatch: first.etag } : { ifAbsent: true as const };
        const outcome = await victim.put(key, utf8('new'), condition).catch(() => null);
        finished = crashing.callsUntilCrash > 0;
        const found = await reopened().get(key);
        const text = found === null ? null : Buffer.from(found.bytes).toString();
        expect([kind === 'replace' ? 'old' : null, 'new']).toContain(text);
        if (outcome?.kind === 'ok') expect(text).toBe('new');
        if (outcome === null) expect(text).not.toBe('new');
      }
    }
    await reopened().put('next', utf8('write'));
    expect(await temporaryFiles()).toEqual([]);
  });

  test('a full disk is TW_STORAGE_FULL only when nothing was written, and the next put works once there is space', async () => {
    const calls = ['mkdir', 'open', 'file.write', 'file.datasync', 'link', 'rename'] as const;
    for (const [index, call] of calls.entries()) {
      const key = call === 'rename' ? 'present' : `new/${index}`;
      if (call === 'rename') await store.put(key, utf8('old'));
      fs.failNext(call, 'ENOSPC');
      await expect(store.put(key, utf8('more'))).rejects.toMatchObject({ code: 'TW_STORAGE_FULL' });
      expect((await store.get(key))?.bytes.length ?? null).toBe(call === 'rename' ? 3 : null);
      expect(await store.put(key, utf8('more'))).toMatchObject({ kind: 'ok' });
    }
    fs.failNext('syncFolder', 'ENOSPC');
    expect(await store.put('new/named', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'unknown' });
    expect(await temporaryFiles()).toEqual([]);
  });

  test('an input error before the name is given is TW_STORAGE_UNAVAILABLE, after it the outcome is unknown', async () => {
    for (const call of ['file.write', 'file.datasync', 'open'] as const) {
      fs.failNext(call, 'EIO');
      await expect(store.put('e/1', utf8('x'), { ifAbsent: true })).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
      expect(await store.get('e/1')).toBeNull();
    }
    fs.failNext('link', 'EIO', true);
    expect(await store.put('e/1', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'unknown' });
    expect(await store.put('e/1', utf8('x'), { ifAbsent: true })).toEqual({ kind: 'exists' });
  });

  test('what a failed sync left in doubt is synced before it is read or reported as existing', async () => {
    fs.failNext('syncFolder', 'EIO');
    await store.put('warm', utf8('x')).catch(() => {});
    await store.put('warm', utf8('x'));
    fs.failNext('syncFolder', 'EIO');
    expect(await store.put('doubt', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'unknown' });
    fs.failNext('syncFolder', 'EIO');
    await expect(store.get('doubt')).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    fs.failNext('syncFolder', 'EIO');
    expect(await store.put('doubt', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'unknown' });
    expect((await store.get('doubt'))?.bytes.length).toBe(1);
    const syncs = fs.calls.filter(({ call }) => call === 'syncFolder').length;
    await store.get('doubt');
    expect(fs.calls.filter(({ call }) => call === 'syncFolder').length).toBe(syncs);
  });

  test('a writer whose temporary file is swept by another process starts over', async () => {
    await store.put('a/first', utf8('x'));
    let interrupted = false;
    const link = fs.link;
    fs.link = async (from, to) => {
      if (!interrupted) await reopened().put('a/other', utf8('y'));
      interrupted = true;
      return link(from, to);
    };
    expect(await store.put('a/second', utf8('z'), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
    expect(fs.calls.filter(({ call, path }) => call === 'link' && path.endsWith('second.obj')).length).toBe(2);
  });

  test('a folder removed by hand does not stop later puts', async () => {
    await store.put('gone/1', utf8('x'));
    await rm(pathOf('gone'), { recursive: true });
    expect(await store.put('gone/2', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
  });

  test('any damaged byte of the file is found, as are missing and added ones (S5)', async () => {
    await store.put('object', utf8('0123456789'));
    const path = pathOf('object.obj');
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at++) {
      await flipByte(path, at);
      await expect(store.get('object')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
      if (at < HEADER_BYTES) await expect(store.head('object')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
      await flipByte(path, at);
    }
    for (const size of [0, HEADER_BYTES - 1, HEADER_BYTES, whole.length - 1, whole.length + 1]) {
      await writeFile(path, whole);
      await truncate(path, size);
      await expect(store.get('object')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
      await expect(store.get('object', { range: { start: 0, end: 1 } })).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    }
  });

  test('an object of a newer format is refused with a clear error', async () => {
    await store.put('object', utf8('x'));
    const bytes = await readFile(pathOf('object.obj'));
    bytes.writeUInt32BE(2, 4);
    bytes.writeUInt32BE(crc32c(utf8('object'), crc32c(bytes.subarray(0, HEADER_BYTES - 4))), HEADER_BYTES - 4);
    await writeFile(pathOf('object.obj'), bytes);
    await expect(store.get('object')).rejects.toMatchObject({ code: 'TW_FORMAT_TOO_NEW' });
  });

  test('a file that has the name of another object is damage, not that object', async () => {
    await store.put('a', utf8('the bytes of a'));
    await store.put('b', utf8('the bytes of b'));
    await copyFile(pathOf('a.obj'), pathOf('b.obj'));
    await expect(store.get('b')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED', data: { key: 'b' } });
    await expect(store.get('b', { range: { start: 0, end: 3 } })).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    expect(fromUtf8((await store.get('a'))!.bytes)).toBe('the bytes of a');
  });

  test('a ranged read reads the range, and a listing only the folders below its prefix', async () => {
    await store.put('big/object', new Uint8Array(1_000_000));
    fs.bytesRead = 0;
    expect((await store.get('big/object', { range: { start: 500_000, end: 500_100 } }))?.bytes.length).toBe(100);
    expect(fs.bytesRead).toBe(HEADER_BYTES + 100);
    await store.put('other/folder/object', utf8('x'));
    fs.calls.length = 0;
    await store.list('big/ob');
    expect(fs.calls.filter(({ call }) => call === 'readdir').map(({ path }) => path)).toEqual([pathOf('big')]);
  });

  test('files that are not the store’s are left alone and not listed', async () => {
    await store.put('a/object', utf8('x'));
    for (const name of ['a/README.txt', 'a/Upper.obj', 'a/%zz.obj', 'a/.DS_Store']) await writeFile(pathOf(name), 'foreign');
    expect(await store.list('')).toEqual([{ key: 'a/object', size: 1 }]);
  });

  test('concurrent puts into one folder share its syncs', async () => {
    await store.put('many/first', utf8('x'));
    fs.calls.length = 0;
    await Promise.all(Array.from({ length: 100 }, (_, index) => store.put(`many/${index}`, utf8('x'), { ifAbsent: true })));
    expect(fs.calls.filter(({ call }) => call === 'syncFolder').length).toBeLessThan(80);
    expect((await reopened().list('many/')).length).toBe(101);
  });
});
