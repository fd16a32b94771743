import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type JsonValue, TailwaterError } from '../../base/index.ts';

const NAMES = ['tailwater.config.ts', 'tailwater.config.js', 'tailwater.config.json'];

/** The file named, else the first of `tailwater.config.ts`, `.js` and `.json` in the folder; undefined when there is none. TW_SETTING. */
export async function readConfigFile(
  named: string | undefined,
  folder: string,
): Promise<{ path: string; content: JsonValue } | undefined> {
  const path = named === undefined ? await findFile(folder) : resolve(folder, named);
  if (path === undefined) return undefined;
  try {
    return { path, content: path.endsWith('.json') ? JSON.parse(await readFile(path, 'utf8')) : await defaultExport(path) };
  } catch (cause) {
    throw new TailwaterError('TW_SETTING', {
      detail: `The configuration file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  }
}

async function findFile(folder: string): Promise<string | undefined> {
  for (const name of NAMES) {
    const path = join(folder, name);
    if (await stat(path).catch(() => null)) return path;
  }
  return undefined;
}

/** A module’s default export, as plain data: what is not JSON is not a setting. */
async function defaultExport(path: string): Promise<JsonValue> {
  const module: { default?: unknown } = await import(pathToFileURL(path).href);
  if (module.default === undefined) throw new TailwaterError('TW_SETTING', { detail: 'it has no default export.' });
  return JSON.parse(JSON.stringify(module.default));
}
