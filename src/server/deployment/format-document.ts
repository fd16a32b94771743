import { fromUtf8, isJsonObject, TailwaterError, utf8 } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';

/** The version of the layout of a deployment on an object store, and of every format in it without a version of its own. */
const FORMAT_VERSION = 1;
export const FORMAT_KEY = 'format.json';
const MAX_ATTEMPTS = 5;

/**
 * Creates the document that says of which layout the deployment is, unless it is there. Throws TW_FORMAT_TOO_NEW; TW_DATA_DAMAGED when it
 * names no version, as where the prefix belongs to something else.
 */
export async function checkFormatDocument(store: ObjectStore): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const found = await store.get(FORMAT_KEY);
    if (found !== null) return void checkVersion(found.bytes);
    const bytes = utf8(`${JSON.stringify({ formatVersion: FORMAT_VERSION })}\n`);
    if ((await store.put(FORMAT_KEY, bytes, { ifAbsent: true })).kind === 'ok') return;
  }
  throw new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: `${FORMAT_KEY} could neither be read nor be created.` });
}

/** Creates nothing: null when it is not there. */
export async function readFormatDocument(store: ObjectStore): Promise<number | null> {
  const found = await store.get(FORMAT_KEY);
  return found === null ? null : checkVersion(found.bytes);
}

function checkVersion(bytes: Uint8Array): number {
  const version = versionIn(fromUtf8(bytes));
  if (version === null) {
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: `${FORMAT_KEY} names no format.`, data: { key: FORMAT_KEY } });
  }
  if (version <= FORMAT_VERSION) return version;
  throw new TailwaterError('TW_FORMAT_TOO_NEW', {
    detail: `The deployment has format ${version}; this version reads up to ${FORMAT_VERSION}.`,
  });
}

function versionIn(text: string): number | null {
  try {
    const found: unknown = JSON.parse(text);
    const version = isJsonObject(found) ? found.formatVersion : null;
    return Number.isSafeInteger(version) && Number(version) >= 1 ? Number(version) : null;
  } catch {
    return null;
  }
}
