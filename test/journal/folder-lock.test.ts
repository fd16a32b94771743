import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { FolderLock } from '../../src/journal/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailwater-lock-'));
const LOCK_MODULE = new URL('../../src/journal/folder-lock.ts', import.meta.url).href;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A process that holds the lock, says so, and then waits to be killed. */
async function holder(path: string) {
  const program = `
    const { FolderLock } = await import(${JSON.stringify(LOCK_MODULE)});
    globalThis.held = FolderLock.acquire(${JSON.stringify(path)});
    console.log('held');
    setInterval(() => globalThis.held, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

describe('FolderLock', () => {
  test('is held by one at a time, and free again once released', () => {
    const path = join(folder, 'one.db');
    const first = FolderLock.acquire(path);
    expect(() => FolderLock.acquire(path)).toThrow(expect.objectContaining({ code: 'TW_FOLDER_IN_USE' }));
    first.release();
    first.release();
    FolderLock.acquire(path).release();
  });

  test('of another process is respected, and dropped by the system when that process is killed', async () => {
    const path = join(folder, 'two.db');
    const child = await holder(path);
    try {
      expect(() => FolderLock.acquire(path)).toThrow(expect.objectContaining({ code: 'TW_FOLDER_IN_USE' }));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    FolderLock.acquire(path).release();
  });

  test('that cannot be made is not taken for one that is held', () => {
    expect(() => FolderLock.acquire(join(folder, 'absent', 'lock.db'))).toThrow(
      expect.objectContaining({ code: 'TW_STORAGE_UNAVAILABLE' }),
    );
  });
});
