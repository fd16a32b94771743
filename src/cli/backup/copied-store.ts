import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c, TailwaterError } from '../../base/index.ts';
import type { GetOptions, ListedObject, ListOptions, ObjectFacts, ObjectStore, StoredObject } from '../../storage/index.ts';

/** An object of a copy: its key is the path of its file. */
export interface CopiedObject {
  key: string;
  size: number;
  crc32c: number;
}

const MAX_PAGE = 1000;

/** The copy of a deployment, a file for each object, to be read as the store that it was copied from. Content is verified; nobody writes to it. */
export class CopiedStore implements ObjectStore {
  readonly #folder: string;
  readonly #objects: ReadonlyMap<string, CopiedObject>;
  readonly #keys: readonly string[];

  constructor(folder: string, objects: readonly CopiedObject[]) {
    this.#folder = folder;
    this.#objects = new Map(objects.map(object => [object.key, object]));
    this.#keys = [...this.#objects.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | null> {
    const facts = await this.head(key);
    if (facts === null || (options?.foreign !== undefined && options.foreign.etag !== facts.etag)) return null;
    const bytes = await readFile(join(this.#folder, key)).catch(() => null);
    if (bytes === null || crc32c(bytes) !== this.#objects.get(key)!.crc32c) {
      throw new TailwaterError('TW_DATA_DAMAGED', { detail: `The copy of ${key} is not what was copied.`, data: { key } });
    }
    const { start = 0, end = bytes.length } = options?.range ?? {};
    return { bytes: bytes.subarray(start, end), etag: facts.etag };
  }

  async head(key: string): Promise<ObjectFacts | null> {
    const object = this.#objects.get(key);
    return object === undefined ? null : { size: object.size, etag: String(object.crc32c) };
  }

  async list(prefix: string, { startAfter = '', limit = MAX_PAGE }: ListOptions = {}): Promise<ListedObject[]> {
    const after = Buffer.from(startAfter);
    const isWanted = (key: string): boolean => key.startsWith(prefix) && Buffer.compare(Buffer.from(key), after) > 0;
    const page = this.#keys.filter(isWanted).slice(0, limit);
    return page.map(key => ({ key, size: this.#objects.get(key)!.size }));
  }

  async put(): Promise<never> {
    throw readOnly();
  }

  async delete(): Promise<never> {
    throw readOnly();
  }
}

function readOnly(): TailwaterError {
  return new TailwaterError('TW_INTERNAL', { detail: 'A copy is only read.' });
}
