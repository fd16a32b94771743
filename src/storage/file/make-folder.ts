import { dirname } from 'node:path';
import type { FileSystem } from '../file-system.ts';
import { errnoOf } from './fault.ts';

/**
 * Makes a folder with its parents, so that its name survives a crash: what it holds is worth no more than its name. A folder is made once the
 * name of its parent is durable. So whoever died while making them left one name at most that is not, the last.
 */
export async function makeFolderDurably(fs: FileSystem, folder: string): Promise<void> {
  const missing: string[] = [];
  let present = folder;
  for (; (await fs.stat(present)) === null; present = dirname(present)) missing.unshift(present);
  await syncNameOf(fs, present);
  for (const path of missing) {
    await fs.mkdir(path);
    await fs.syncFolder(dirname(path));
  }
}

/** A folder that was there in a parent which may not be read, such as a home, is not one that this made. */
async function syncNameOf(fs: FileSystem, present: string): Promise<void> {
  try {
    await fs.syncFolder(dirname(present));
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
  }
}
