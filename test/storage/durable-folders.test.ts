import { expect, test } from 'vitest';
import { DurableFolders } from '../../src/storage/file/durable-folders.ts';
import { nodeFileSystem } from '../../src/storage/index.ts';

/** Syncs that end when told, in the order in which they started. */
function manualSyncs(): { folders: DurableFolders; started: () => number; end: (error?: Error) => Promise<void> } {
  const open: ((error?: Error) => void)[] = [];
  let started = 0;
  const syncFolder = (): Promise<void> => {
    started++;
    return new Promise((resolve, reject) => open.push(error => (error === undefined ? resolve() : reject(error))));
  };
  const end = async (error?: Error): Promise<void> => {
    open.shift()!(error);
    await new Promise(setImmediate);
  };
  return { folders: new DurableFolders({ ...nodeFileSystem, syncFolder }, '/root'), started: () => started, end };
}

test('a name made while a sync runs is not durable when that sync ends, only when the next one does', async () => {
  const { folders, started, end } = manualSyncs();
  const resolved: string[] = [];
  const sync = (who: string): void => void folders.sync('/root').then(() => resolved.push(who));
  sync('first');
  sync('during the first');
  sync('also during the first');
  await end();
  expect(resolved).toEqual(['first']);
  expect(started()).toBe(2);
  sync('during the second');
  await end();
  expect(resolved).toEqual(['first', 'during the first', 'also during the first']);
  await end();
  expect(resolved.length).toBe(4);
  expect(started()).toBe(3);
});

test('a failed sync fails those that waited for it, and the next one is tried afresh', async () => {
  const { folders, end } = manualSyncs();
  const first = expect(folders.sync('/root')).rejects.toThrow('broken');
  const second = expect(folders.sync('/root')).resolves.toBeUndefined();
  await end(new Error('broken'));
  await end();
  await Promise.all([first, second]);
});
