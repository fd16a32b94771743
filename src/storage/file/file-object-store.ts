import { type Random, TailwaterError } from '../../base/index.ts';
import type { FileSystem } from '../file-system.ts';
import { checkKey, checkPrefix, checkRange, isOther, pageLimit } from '../keys.ts';
import type {
  ByteRange,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectStore,
  PutCondition,
  PutOutcome,
  StoredObject,
} from '../object-store.ts';
import { DurableFolders } from './durable-folders.ts';
import { Exclusion } from './exclusion.ts';
import { errnoOf, isRefusal, storageError } from './fault.ts';
import { walkKeys } from './folder-listing.ts';
import { Limiter } from './limiter.ts';
import { decodeHeader, decodeObject, encodeObject, etagOf, HEADER_BYTES, TAG_BYTES } from './object-format.ts';
import { LOCK_FILE, type ObjectPath, objectPath, TEMPORARY_FOLDER } from './object-paths.ts';
import { TemporaryFiles } from './temporary-files.ts';

/** Bounds the open files; more operations wait. */
const MAX_CONCURRENT_OPERATIONS = 128;
/** How often a put starts over because its temporary file was swept. */
const MAX_PUT_ATTEMPTS = 5;

/**
 * Objects as files below a folder, for any number of processes of one machine.
 *
 * A new object (S3 of the design): temporary file, fdatasync, `link()` to its name, fsync of the folder. link() fails when the name exists, so of
 * any number of racers one wins, and the name never shows an incomplete file. Replacing and deleting happen one at a time under a lock that
 * the operating system drops with its holder: compare the etag, `rename()` over the name, fsync the folder. A crash at any point leaves the old
 * or the new object, whole. Readers take no lock: an open file stays what it was when opened.
 */
export class FileObjectStore implements ObjectStore {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #random: Random;
  readonly #folders: DurableFolders;
  readonly #temporary: TemporaryFiles;
  readonly #exclusion: Exclusion;
  readonly #operations = new Limiter(MAX_CONCURRENT_OPERATIONS);

  /** `root` is made when first written to. */
  constructor(fs: FileSystem, root: string, random: Random) {
    this.#fs = fs;
    this.#root = root;
    this.#random = random;
    this.#folders = new DurableFolders(fs, root);
    this.#temporary = new TemporaryFiles(fs, `${root}/${TEMPORARY_FOLDER}`, this.#folders, random);
    this.#exclusion = new Exclusion(fs, `${root}/${LOCK_FILE}`);
  }

  /** Files of puts that were not finished: what stays there for long was left by a process that died. */
  get temporary(): Pick<TemporaryFiles, 'list' | 'sweep'> {
    return this.#temporary;
  }

  async put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome> {
    checkKey(key);
    return this.#operations.run(() => this.#put(key, bytes, condition));
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | null> {
    checkKey(key);
    const range = options?.range;
    if (range !== undefined) checkRange(range);
    return this.#reading(key, async path => {
      if (range === undefined) {
        const whole = decodeObject(key, await this.#fs.readFile(path));
        return isOther(options, whole.etag) ? null : whole;
      }
      const { bytes, etag } = await this.#readRange(key, path, range);
      return { bytes, etag };
    });
  }

  async head(key: string): Promise<{ size: number; etag: string } | null> {
    checkKey(key);
    return this.#reading(key, async path => {
      const { size, etag } = await this.#readRange(key, path, { start: 0, end: 0 });
      return { size, etag };
    });
  }

  async list(prefix: string, options?: ListOptions): Promise<ListedObject[]> {
    checkPrefix(prefix);
    try {
      return await this.#operations.run(() => this.#list(prefix, options?.startAfter, pageLimit(options)));
    } catch (error) {
      throw storageError(error, `The objects below ${JSON.stringify(prefix)} could not be listed`);
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key);
    try {
      if (keys.length > 0) await this.#operations.run(() => this.#delete(keys.map(key => objectPath(this.#root, key))));
    } catch (error) {
      throw storageError(error, `${keys.length} objects could not be deleted`);
    }
  }

  async #put(key: string, content: Uint8Array, condition: PutCondition | undefined): Promise<PutOutcome> {
    const path = objectPath(this.#root, key);
    // Known to fail: no need to write first. The deciding comparison comes later, under the lock.
    if (isMatch(condition) && (await this.#certain(key, () => this.#etag(key, path.file))) !== condition.ifMatch) {
      return { kind: 'mismatch' };
    }
    const tag = this.#random.bytes(TAG_BYTES);
    const file = encodeObject(key, tag, content);
    for (let attempt = 1; attempt <= MAX_PUT_ATTEMPTS; attempt++) {
      const temporary = await this.#temporary.write(file);
      try {
        const outcome = await this.#publish(key, temporary, path, condition);
        if (outcome !== 'swept') return outcome === 'ok' ? { kind: 'ok', etag: etagOf(tag) } : outcome;
      } finally {
        await this.#temporary.remove(temporary);
      }
    }
    throw new TailwaterError('TW_STORAGE_UNAVAILABLE', {
      detail: `Writing ${key}: its temporary file vanished ${MAX_PUT_ATTEMPTS} times.`,
    });
  }

  async #publish(key: string, temporary: string, path: ObjectPath, condition: PutCondition | undefined): Promise<Published> {
    await this.#certain(key, () => this.#folders.ensure(path.folder));
    if (!isMatch(condition)) {
      const linked = await this.#named(key, path, () => this.#fs.link(temporary, path.file));
      if (linked !== 'taken') return linked;
      if (condition !== undefined) return this.#exists(path);
    }
    return this.#replace(key, temporary, path, condition);
  }

  async #replace(key: string, temporary: string, path: ObjectPath, condition: PutCondition | undefined): Promise<Published> {
    const replaced = await this.#certain(key, () =>
      this.#exclusion.run(async () => {
        if (isMatch(condition) && (await this.#etag(key, path.file)) !== condition.ifMatch) return { kind: 'mismatch' } as const;
        return this.#named(key, path, () => this.#fs.rename(temporary, path.file));
      }),
    );
    return replaced === 'taken' ? { kind: 'exists' } : replaced;
  }

  /** Gives the temporary file its name and makes the name durable. The commit point of a put is `give`. */
  async #named(key: string, path: ObjectPath, give: () => Promise<void>): Promise<Published | 'taken'> {
    try {
      await give();
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return 'taken';
      if (!isRefusal(error)) return { kind: 'unknown', cause: error };
      if (errnoOf(error) !== 'ENOENT') throw storageError(error, `The object ${key} could not be named`);
      this.#folders.forget(path.folder);
      return 'swept';
    }
    try {
      await this.#folders.sync(path.folder);
      return 'ok';
    } catch (error) {
      return { kind: 'unknown', cause: error };
    }
  }

  /** Whoever is told that an object exists builds on it: it must not vanish in a crash, though its own writer has not synced it yet. */
  async #exists(path: ObjectPath): Promise<PutOutcome> {
    try {
      await this.#folders.sync(path.folder);
      return { kind: 'exists' };
    } catch (error) {
      return { kind: 'unknown', cause: error };
    }
  }

  async #readRange(key: string, path: string, range: ByteRange): Promise<StoredObject & { size: number }> {
    const file = await this.#fs.open(path, 'read');
    try {
      const header = decodeHeader(key, await file.read(0, HEADER_BYTES), await file.size());
      const start = Math.min(range.start, header.length);
      const end = Math.min(range.end, header.length);
      const bytes = end > start ? await file.read(HEADER_BYTES + start, end - start) : new Uint8Array(0);
      return { bytes, etag: header.etag, size: header.length };
    } finally {
      await file.close();
    }
  }

  async #etag(key: string, path: string): Promise<string | null> {
    try {
      return (await this.#readRange(key, path, { start: 0, end: 0 })).etag;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  async #list(prefix: string, startAfter: string | undefined, limit: number): Promise<ListedObject[]> {
    const page: ListedObject[] = [];
    const keys = walkKeys(this.#fs, this.#root, prefix, startAfter);
    for (let done = false; !done && page.length < limit; ) {
      const batch: string[] = [];
      while (page.length + batch.length < limit) {
        const next = await keys.next();
        if (next.done === true) {
          done = true;
          break;
        }
        batch.push(next.value);
      }
      const sizes = await Promise.all(batch.map(key => this.#fs.stat(objectPath(this.#root, key).file)));
      batch.forEach((key, index) => {
        // Deleted since the folder was read: the page is filled from what follows.
        const stat = sizes[index];
        if (stat !== null) page.push({ key, size: Math.max(0, stat.size - HEADER_BYTES) });
      });
    }
    return page;
  }

  async #delete(paths: readonly ObjectPath[]): Promise<void> {
    await this.#folders.ensure(this.#root);
    await this.#exclusion.run(async () => {
      const changed = new Set<string>();
      for (const path of paths) {
        try {
          await this.#fs.unlink(path.file);
          changed.add(path.folder);
        } catch (error) {
          if (errnoOf(error) !== 'ENOENT') throw error;
        }
      }
      await Promise.all([...changed].map(folder => this.#folders.sync(folder)));
    });
  }

  /** Reads under the operation limit; null when there is no such file. */
  async #reading<T>(key: string, read: (path: string) => Promise<T>): Promise<T | null> {
    const { folder, file } = objectPath(this.#root, key);
    try {
      return await this.#operations.run(async () => {
        await this.#folders.settle(folder);
        return read(file);
      });
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw storageError(error, `The object ${key} could not be read`);
    }
  }

  async #certain<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageError(error, `The object ${key} could not be written`);
    }
  }
}

type Published = 'ok' | 'swept' | PutOutcome;

function isMatch(condition: PutCondition | undefined): condition is { ifMatch: string } {
  return condition !== undefined && 'ifMatch' in condition;
}
