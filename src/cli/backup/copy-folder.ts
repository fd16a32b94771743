import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { pathsOf } from '../../server/index.ts';
import { nodeFileSystem } from '../../storage/index.ts';

export interface Copied {
  files: number;
  bytes: number;
}

/**
 * Copies a data folder on which a server may be at work, as long as nothing is deleted in it. Files are only ever added, appended to or replaced as
 * a whole, so the order makes the copy one that a crash could have left: states before the tables that they name, these before the log that they
 * are behind, and the catalog last, since a stream that a log has and the catalog lacks counts as deleted. Every file is on the disk when this returns.
 */
export async function copyFolder(from: string, to: string, progress: (copied: Copied) => void): Promise<Copied> {
  const { objects, lance, iceberg, warehouse, log, format } = pathsOf(from);
  const [catalog, pins] = ['catalog', 'pins'].map(name => join(objects, name));
  const copied: Copied = { files: 0, bytes: 0 };
  const folders = new Set<string>();
  const take = async (path: string): Promise<void> => {
    const target = join(to, relative(from, path));
    folders.add(dirname(target));
    await mkdir(dirname(target), { recursive: true });
    const bytes = await copyDurably(path, target);
    if (bytes === null) return;
    copied.files++;
    copied.bytes += bytes;
    progress(copied);
  };
  await take(format);
  const others = (path: string): boolean => path !== catalog && path !== pins;
  for (const root of [objects, lance, iceberg, warehouse, dirname(log), catalog]) {
    for await (const path of filesBelow(root, root === objects ? others : () => true)) await take(path);
  }
  for (const folder of folders) await syncUpTo(folder, to);
  return copied;
}

async function* filesBelow(folder: string, wanted: (path: string) => boolean): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(error => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (!wanted(path)) continue;
    if (entry.isDirectory()) yield* filesBelow(path, wanted);
    else if (entry.isFile()) yield path;
  }
}

/** The bytes; null: it was one that is written and renamed, and gone meanwhile. */
async function copyDurably(from: string, to: string): Promise<number | null> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const file = await open(to, 'r+');
  try {
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder and in those above it, up to the top, durable. */
export async function syncUpTo(folder: string, top: string): Promise<void> {
  for (let path = folder; ; path = dirname(path)) {
    await nodeFileSystem.syncFolder(path);
    if (path === top || !path.startsWith(top + sep)) return;
  }
}
