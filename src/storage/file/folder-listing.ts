import type { FileSystem } from '../file-system.ts';
import { compareKeys } from '../keys.ts';
import { errnoOf } from './fault.ts';
import { folderPath, parseEntry } from './object-paths.ts';

/**
 * The keys with this prefix and above `after`, in order, found by reading only the folder that the prefix names and those below it. A folder
 * sorts as its name and a slash, which puts all keys below it in their place among its neighbours.
 */
export async function* walkKeys(fs: FileSystem, root: string, prefix: string, after: string | undefined): AsyncGenerator<string> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walkFolder(fs, root, folder, prefix, after);
}

async function* walkFolder(
  fs: FileSystem,
  root: string,
  folder: string,
  prefix: string,
  after: string | undefined,
): AsyncGenerator<string> {
  const keys: string[] = [];
  for (const entry of await readFolder(fs, folderPath(root, folder.split('/').slice(0, -1)))) {
    const segment = parseEntry(entry);
    if (segment === null) continue;
    const key = entry.isDirectory ? `${folder}${segment}/` : folder + segment;
    if (key.startsWith(prefix) && mayHoldLater(key, after)) keys.push(key);
  }
  for (const key of keys.sort(compareKeys)) {
    if (key.endsWith('/')) yield* walkFolder(fs, root, key, prefix, after);
    else yield key;
  }
}

/** For a folder (with its slash): whether any key below it can be above `after`. */
function mayHoldLater(key: string, after: string | undefined): boolean {
  if (after === undefined) return true;
  return compareKeys(key, after) > 0 || (key.endsWith('/') && after.startsWith(key));
}

async function readFolder(fs: FileSystem, path: string): Promise<{ name: string; isDirectory: boolean }[]> {
  try {
    return await fs.readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
