import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../base/index.ts';
import type { ViewInput } from '../server/index.ts';

/**
 * The feature views of a file: a JSON file with `{"name", "definition"}` or a list of them, or a module (.ts, .js, .mjs), whose exports that are views
 * count. Throws TW_SOURCE.
 */
export async function loadViews(path: string): Promise<ViewInput[]> {
  const found = extname(path) === '.json' ? await fromJson(path) : await fromModule(path);
  const views = found.filter(isView);
  if (views.length > 0) return views;
  throw new TailwaterError('TW_SOURCE', {
    detail: `${path} has no feature view: JSON with "name" and "definition", or a module that exports what featureView() returns.`,
  });
}

async function fromJson(path: string): Promise<unknown[]> {
  const content = parsed(await text(path), path);
  return Array.isArray(content) ? content : [content];
}

async function fromModule(path: string): Promise<unknown[]> {
  try {
    const module: Record<string, unknown> = await import(pathToFileURL(resolve(path)).href);
    return Object.values(module).flat();
  } catch (cause) {
    if (cause instanceof TailwaterError) throw cause;
    throw new TailwaterError('TW_SOURCE', { detail: `${path} cannot be loaded: ${(cause as Error).message}`, cause });
  }
}

function isView(candidate: unknown): candidate is ViewInput {
  return isJsonObject(candidate) && typeof candidate.name === 'string' && isJsonObject(candidate.definition);
}

/** Rows of entities and times of a file: Parquet, or as `loadRows`. */
export async function spineRows(path: string, time: string): Promise<JsonObject[]> {
  return isParquet(path) ? (await import('./parquet-rows.ts')).readParquetRows(path, time) : loadRows(path);
}

export function isParquet(path: string): boolean {
  return path.endsWith('.parquet');
}

/** Rows of a file: a JSON array, or an object a line. Throws TW_SOURCE. */
async function loadRows(path: string): Promise<JsonObject[]> {
  const content = await text(path);
  const rows = content.trimStart().startsWith('[')
    ? parsed(content, path)
    : content
        .split('\n')
        .filter(line => line.trim() !== '')
        .map(line => parsed(line, path));
  if (Array.isArray(rows) && rows.every(isJsonObject)) return rows;
  throw new TailwaterError('TW_SOURCE', { detail: `${path} must hold JSON objects: an array of them, or one a line.` });
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new TailwaterError('TW_SOURCE', { detail: `${path} cannot be read: ${(cause as Error).message}`, cause });
  }
}

function parsed(content: string, path: string): JsonValue {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new TailwaterError('TW_SOURCE', { detail: `${path} is not valid JSON: ${(cause as Error).message}`, cause });
  }
}
