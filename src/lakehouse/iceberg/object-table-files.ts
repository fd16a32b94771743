import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { equalBytes, TailwaterError } from '../../base/index.ts';
import { listAll, listNames, type ObjectCache, type ObjectStore, storageError } from '../../storage/index.ts';
import { requireAtMost, type TableFiles } from './table-files.ts';

export interface ObjectTableFilesOptions {
  /** The whole deployment's. */
  store: ObjectStore;
  /** A key below which the files lie, without a slash at its end. */
  prefix: string;
  /** The address of the store for other engines, such as `s3://bucket/prefix`. */
  address: string;
  /** Local copies of what DuckDB reads. */
  cache: ObjectCache;
  /** A local folder of this process alone, for what DuckDB writes until it is put into the store. */
  spoolFolder: string;
}

const TEMPORARY = '.tmp';
/** How often a put whose outcome stays unknown is tried. */
const MAX_PUTS = 5;
const KEYS_PER_DELETE = 1000;
const HOLDS_AT_ONCE = 8;

/** Table files in an object store. DuckDB reads local copies and writes local files, which are then put. */
export class ObjectTableFiles implements TableFiles {
  readonly #options: ObjectTableFilesOptions;

  private constructor(options: ObjectTableFilesOptions) {
    this.#options = options;
  }

  /** Makes the spool folder. */
  static async open(options: ObjectTableFilesOptions): Promise<ObjectTableFiles> {
    try {
      await mkdir(options.spoolFolder, { recursive: true });
    } catch (error) {
      throw storageError(error, `The folder ${options.spoolFolder} could not be made`);
    }
    return new ObjectTableFiles(options);
  }

  uri(name: string): string {
    const { address, prefix } = this.#options;
    return `${address}/${prefix}${name === '' ? '' : `/${name}`}`;
  }

  enginePath(name: string): string {
    const { cache, spoolFolder } = this.#options;
    return name.endsWith(TEMPORARY) ? join(spoolFolder, name.replaceAll('/', '_')) : cache.heldPath(this.#key(name));
  }

  async hold(names: readonly string[]): Promise<() => void> {
    const { cache, store } = this.#options;
    const releases: (() => void)[] = [];
    const release = (): void => {
      for (const each of releases) each();
    };
    const waiting = [...names];
    const holdOn = async (): Promise<void> => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        const key = this.#key(name);
        const held = await cache.hold(key, async () => (await store.get(key))?.bytes ?? null);
        if (held !== null) releases.push(held);
      }
    };
    const settled = await Promise.allSettled(Array.from({ length: HOLDS_AT_ONCE }, holdOn));
    const failed = settled.find(each => each.status === 'rejected');
    if (failed === undefined) return release;
    release();
    throw failed.reason;
  }

  async read(name: string): Promise<Uint8Array | null> {
    if (!name.endsWith(TEMPORARY)) return (await this.#options.store.get(this.#key(name)))?.bytes ?? null;
    return readFile(this.enginePath(name)).catch(error => {
      throw storageError(error, `${name} could not be read back`);
    });
  }

  async readForeign(name: string, maxBytes: number): Promise<Uint8Array | null> {
    const { store } = this.#options;
    const key = this.#key(name);
    const found = await store.head(key);
    if (found === null || found.etag === '') return null;
    requireAtMost(maxBytes, name, found.size);
    const content = await store.get(key, { foreign: { etag: found.etag } });
    return content?.bytes.length === found.size ? content.bytes : null;
  }

  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    const { store } = this.#options;
    const key = this.#key(name);
    for (let attempt = 0; attempt < MAX_PUTS; attempt++) {
      const outcome = await store.put(key, bytes, { ifAbsent: true });
      if (outcome.kind === 'ok') return true;
      if (outcome.kind !== 'unknown' && attempt === 0) return false;
      // It may be there by an attempt whose reply was lost: names and contents hold random parts, so equal bytes are ours.
      const found = await store.get(key);
      if (found !== null) return equalBytes(found.bytes, bytes);
    }
    throw new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: `It is not known whether ${name} was written.` });
  }

  async adopt(written: string, name: string, content: Uint8Array): Promise<void> {
    if (!(await this.create(name, content))) throw new TailwaterError('TW_INTERNAL', { detail: `${name} exists already.` });
    await rm(this.enginePath(written), { force: true });
  }

  /** Objects need no folders. */
  async makeFolder(): Promise<void> {}

  async list(folder: string): Promise<string[]> {
    const { store } = this.#options;
    const prefix = `${this.#key(folder)}${folder === '' ? '' : '/'}`;
    const names: string[] = [];
    if (folder === '') for await (const name of listNames(store, prefix)) names.push(name);
    else for await (const { key } of listAll(store, prefix)) names.push(key.slice(prefix.length));
    return names;
  }

  async size(name: string): Promise<number | null> {
    return (await this.#options.store.head(this.#key(name)))?.size ?? null;
  }

  async below(folder: string): Promise<string[]> {
    const names: string[] = [];
    const prefix = this.#key(folder === '' ? '' : `${folder}/`);
    for await (const { key } of listAll(this.#options.store, prefix)) names.push(key.slice(prefix.length));
    return names;
  }

  async modifiedAtMs(name: string): Promise<number | null> {
    return (await this.#options.store.head(this.#key(name)))?.modifiedAtMs ?? null;
  }

  async remove(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += KEYS_PER_DELETE) {
      await this.#options.store.delete(names.slice(at, at + KEYS_PER_DELETE).map(name => this.#key(name)));
    }
  }

  async removeFolder(folder: string): Promise<void> {
    await this.remove((await this.list(folder)).map(name => `${folder}/${name}`));
  }

  #key(name: string): string {
    return `${this.#options.prefix}/${name}`;
  }
}
