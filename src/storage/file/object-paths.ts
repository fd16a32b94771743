import { escapeSegment, unescapeSegment } from '../keys.ts';

/**
 * Where objects lie below the root: folders for all but the last segment of a key, and a file with the suffix `.obj`. A folder's name never
 * ends in the suffix (its last dot is escaped), so no object's file is in the way of another object's folder. Names that begin with a dot
 * are never a key's: they are the store's own.
 */
const OBJECT_SUFFIX = '.obj';
export const TEMPORARY_FOLDER = '.tmp';
export const LOCK_FILE = '.lock.db';

export interface ObjectPath {
  folder: string;
  file: string;
}

export function objectPath(root: string, key: string): ObjectPath {
  const segments = key.split('/');
  const last = segments.pop()!;
  const folder = segments.map(segment => `/${folderName(segment)}`).join('');
  return { folder: root + folder, file: `${root}${folder}/${fileName(last)}` };
}

export function folderPath(root: string, segments: readonly string[]): string {
  return root + segments.map(segment => `/${folderName(segment)}`).join('');
}

/** The segment that an entry of a folder stands for; null for what is not the store's. */
export function parseEntry(entry: { name: string; isDirectory: boolean }): string | null {
  if (!entry.isDirectory && !entry.name.endsWith(OBJECT_SUFFIX)) return null;
  const segment = unescapeSegment(entry.isDirectory ? entry.name : entry.name.slice(0, -OBJECT_SUFFIX.length));
  if (segment === null) return null;
  return (entry.isDirectory ? folderName(segment) : fileName(segment)) === entry.name ? segment : null;
}

function fileName(segment: string): string {
  return escapeSegment(segment) + OBJECT_SUFFIX;
}

function folderName(segment: string): string {
  const name = escapeSegment(segment);
  return name.endsWith(OBJECT_SUFFIX) ? `${name.slice(0, -OBJECT_SUFFIX.length)}%2e${OBJECT_SUFFIX.slice(1)}` : name;
}
