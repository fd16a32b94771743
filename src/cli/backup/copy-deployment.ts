import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32c, TailwaterError } from '../../base/index.ts';
import { listAll, type ObjectFacts, type ObjectStore } from '../../storage/index.ts';
import type { CopiedObject } from './copied-store.ts';
import { type Copied, syncUpTo } from './copy-folder.ts';

/**
 * In which order a deployment is copied that nodes are at work on, as a folder is (`copyFolder`): states before the tables that they name, these before the
 * log that they are behind, and the catalog last. Pins and leases are about processes.
 */
const ORDER = ['format.json', 'tables/', 'iceberg/', 'vectors/', 'features/', '', 'data/', 'log/', 'catalog/'];
const LEFT_OUT = ['pins/', 'leases/'];
/** Of LanceDB and of other engines, which write no checksum of ours. */
const OF_OTHERS = 'data/';
const AT_ONCE = 4;
/** Larger objects come in parts, which are in memory one at a time. */
const PART_BYTES = 64 * 1024 * 1024;
/** What is replaced while it is read is read again. */
const MAX_READS = 5;

/** Copies every object into a file of its name, as long as nothing is deleted. Each is of one version; what has a checksum is verified. */
export async function copyDeployment(
  store: ObjectStore,
  to: string,
  progress: (copied: Copied) => void,
): Promise<CopiedObject[]> {
  const objects: CopiedObject[] = [];
  const copied: Copied = { files: 0, bytes: 0 };
  const folders = new Set<string>([to]);
  await mkdir(to, { recursive: true });
  for (const group of ORDER) {
    const keys: string[] = [];
    for await (const { key } of listAll(store, group)) if (groupOf(key) === group) keys.push(key);
    const copyOn = async (): Promise<void> => {
      for (let key = keys.shift(); key !== undefined; key = keys.shift()) {
        const object = await copyObject(store, key, to);
        if (object === null) continue;
        folders.add(dirname(join(to, key)));
        objects.push(object);
        copied.files++;
        copied.bytes += object.size;
        progress(copied);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, copyOn));
  }
  for (const folder of folders) await syncUpTo(folder, to);
  return objects;
}

/** The first that it begins with; '' has what no other group has. Null: it is left out. */
function groupOf(key: string): string | null {
  if (LEFT_OUT.some(prefix => key.startsWith(prefix))) return null;
  return ORDER.find(group => group !== '' && key.startsWith(group)) ?? '';
}

/** Null: it is gone meanwhile. */
async function copyObject(store: ObjectStore, key: string, to: string): Promise<CopiedObject | null> {
  const path = join(to, key);
  await mkdir(dirname(path), { recursive: true });
  for (let read = 1; ; read++) {
    const facts = await store.head(key);
    if (facts === null) return null;
    const checksum = await writeParts(path, partsOf(store, key, facts));
    if (checksum !== null) return { key, size: facts.size, crc32c: checksum };
    if (read === MAX_READS) {
      throw new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: `The object ${key} is replaced again and again.` });
    }
  }
}

/** The checksum of all; null when a part was not to be had. */
async function writeParts(path: string, parts: AsyncIterable<Uint8Array | null>): Promise<number | null> {
  const file = await open(path, 'w');
  try {
    let at = 0;
    let checksum = 0;
    for await (const part of parts) {
      if (part === null) return null;
      await file.write(part, 0, part.length, at);
      checksum = crc32c(part, checksum);
      at += part.length;
    }
    await file.sync();
    return checksum;
  } finally {
    await file.close();
  }
}

/** Of the version that was looked at: null for a part of another. */
async function* partsOf(store: ObjectStore, key: string, { size, etag }: ObjectFacts): AsyncGenerator<Uint8Array | null> {
  const isOther = key.startsWith(OF_OTHERS);
  for (let start = 0; start < size || start === 0; start += PART_BYTES) {
    const range = { start, end: Math.min(size, start + PART_BYTES) };
    const isPart = isOther && size > PART_BYTES;
    const found = await store.get(key, isPart ? { range } : isOther ? { foreign: { etag } } : {});
    const length = isPart ? range.end - start : size;
    yield found !== null && found.etag === etag && found.bytes.length === length ? found.bytes : null;
    if (!isPart) return;
  }
}
