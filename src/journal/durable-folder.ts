import { dirname } from 'node:path';
import type { FileSystem } from '../storage/index.ts';

/** Makes a folder with its parents, so that its name survives a crash: what it holds is worth no more than its name. */
export async function makeFolderDurably(fs: FileSystem, folder: string): Promise<void> {
  // The folder's own parent is synced even when the folder is there: who made it may have died before doing so.
  const made = [folder];
  for (let path = dirname(folder); (await fs.stat(path)) === null; path = dirname(path)) made.unshift(path);
  await fs.mkdir(folder);
  for (const path of made) await fs.syncFolder(dirname(path));
}
