import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { TailwaterError } from '../../base/index.ts';

export const FORMATS = ['ndjson', 'json', 'csv', 'markdown', 'text'] as const;
export type SourceFormat = (typeof FORMATS)[number];

/** A file that is to be ingested. */
export interface SourceFile {
  path: string;
  /** Absolute, without symbolic links, with forward slashes: what the file is known by when it is ingested again. */
  identity: string;
  /** How the records name it: relative to the folder that was asked for, with forward slashes. */
  name: string;
  bytes: number;
  format: SourceFormat;
  gzip: boolean;
}

const EXTENSIONS: Record<string, SourceFormat> = {
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  json: 'json',
  csv: 'csv',
  md: 'markdown',
  markdown: 'markdown',
  txt: 'text',
};

/** The format that a name's extension says, `.gz` aside; null when it says none. */
export function formatOf(name: string): { format: SourceFormat | null; gzip: boolean } {
  const gzip = name.toLowerCase().endsWith('.gz');
  const extension = (gzip ? name.slice(0, -3) : name).toLowerCase().split('.').pop()!;
  return { format: EXTENSIONS[extension] ?? null, gzip };
}

/**
 * The files at a path, in the order of their names. Below a folder, hidden files, `node_modules` and files of unknown extension are left
 * out. Throws TW_SOURCE.
 */
export async function listSources(path: string, forced: SourceFormat | null): Promise<SourceFile[]> {
  const found = await statOf(path);
  if (!found.isDirectory()) {
    const { format, gzip } = formatOf(path);
    const chosen = forced ?? format;
    if (chosen === null)
      throw new TailwaterError('TW_SOURCE', {
        detail: `The extension of ${path} says no format; name one of ${FORMATS.join(', ')}.`,
      });
    return [{ path, identity: await identityOf(path), name: basename(path), bytes: found.size, format: chosen, gzip }];
  }
  const files: SourceFile[] = [];
  for await (const file of walk(path)) {
    const { format, gzip } = formatOf(file);
    const chosen = forced ?? format;
    if (chosen === null) continue;
    files.push({
      path: file,
      identity: await identityOf(file),
      name: slashed(relative(path, file)),
      bytes: (await statOf(file)).size,
      format: chosen,
      gzip,
    });
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(folder)) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

async function identityOf(path: string): Promise<string> {
  try {
    return slashed(await realpath(path));
  } catch (error) {
    throw sourceError(path, error);
  }
}

function slashed(path: string): string {
  return path.split(sep).join('/');
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw sourceError(path, error);
  }
}

/** SHA-256 of the file's bytes. */
export async function contentHashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch (error) {
    throw sourceError(path, error);
  }
  return hash.digest('hex');
}

export function sourceError(path: string, error: unknown): TailwaterError {
  if (error instanceof TailwaterError) return error;
  return new TailwaterError('TW_SOURCE', { detail: `${path} cannot be read: ${(error as Error).message}.`, cause: error });
}
