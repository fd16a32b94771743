import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import { type HeldCopy, TableCopies } from '../../src/snapshot/sql/copies.ts';
import { nodeFileSystem } from '../../src/storage/index.ts';

const made: string[] = [];

function copiesOf(maxBytes: number): { copies: TableCopies; folder: string } {
  const parent = mkdtempSync(join(tmpdir(), 'tailwater-copies-'));
  made.push(parent);
  const folder = join(parent, 'copies');
  return { copies: new TableCopies({ fs: nodeFileSystem, folder, maxBytes }), folder };
}

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function filled(copy: HeldCopy, bytes: number): Promise<void> {
  return copy.fill(path => writeFile(path, new Uint8Array(bytes)));
}

async function used(copies: TableCopies, key: string, columns: string[], bytes = 100): Promise<void> {
  const copy = copies.take(key, columns);
  await filled(copy, bytes);
  await copy.release();
}

const neverWritten = (): Promise<void> => Promise.reject(new Error('written twice'));

describe('copies of columns', () => {
  test('are made once, and serve whoever needs no more columns than they have', async () => {
    const { copies } = copiesOf(1000);
    await used(copies, 'a', ['x', 'y']);
    const again = copies.take('a', ['y']);
    await again.fill(neverWritten);
    expect(copies.has('a', ['x', 'y'])).toBe(true);
    expect(copies.has('a', ['z'])).toBe(false);
    expect(copies.has('b', ['x'])).toBe(false);
    await again.release();
    await used(copies, 'a', ['z']);
    expect(copies.has('a', ['x', 'y', 'z'])).toBe(true);
    expect(copies.stats()).toEqual({ copyBytes: 100, copyFiles: 1, copiesMade: 2, copiesReused: 1 });
  });

  test('stay within the budget: those used last, and any that a query still reads', async () => {
    const { copies, folder } = copiesOf(250);
    await used(copies, 'a', ['x']);
    await used(copies, 'b', ['x']);
    await used(copies, 'a', ['x']);
    await used(copies, 'c', ['x']);
    expect(['a', 'b', 'c'].map(key => copies.has(key, ['x']))).toEqual([true, false, true]);
    const read = copies.take('d', ['x']);
    await filled(read, 5000);
    await used(copies, 'e', ['x']);
    expect(existsSync(read.path)).toBe(true);
    await read.release();
    await read.release();
    expect(existsSync(read.path)).toBe(false);
    expect(copies.stats().copyBytes).toBeLessThanOrEqual(250);
    expect(readdirSync(folder)).toHaveLength(copies.stats().copyFiles);
    expect(copies.mayKeep(10, 3)).toBe(true);
    expect(copies.mayKeep(11, 3)).toBe(false);
    await copies.close();
    expect(existsSync(folder)).toBe(false);
  });

  test('are made by the next one that waits, when who makes them is called off; what failed is not kept, what nobody waits for is', async () => {
    const { copies } = copiesOf(1000);
    const [first, second, third] = [1, 2, 3].map(() => copies.take('a', ['x']));
    let making = Promise.resolve();
    const callOff = await new Promise<(error: Error) => void>(begun => {
      making = first.fill(() => new Promise((_, reject) => begun(reject)));
    });
    let waiting = filled(second, 10);
    callOff(new TailwaterError('TW_CLOSED', { detail: 'The query was called off.' }));
    await expect(making).rejects.toMatchObject({ code: 'TW_CLOSED' });
    await waiting;
    await third.fill(neverWritten);
    for (const copy of [first, second, third]) await copy.release();
    expect(copies.has('a', ['x'])).toBe(true);
    const left = copies.take('c', ['x']);
    const end = await new Promise<() => void>(begun => {
      waiting = left.fill(path => new Promise<void>(resolve => begun(resolve)).then(() => writeFile(path, 'whole')));
    });
    await left.release();
    end();
    await waiting;
    expect(copies.has('c', ['x'])).toBe(true);
    const failing = copies.take('b', ['x']);
    await expect(failing.fill(neverWritten)).rejects.toThrow('written twice');
    await failing.release();
    expect(copies.stats().copyFiles).toBe(2);
  });
});
