import { createHash } from 'node:crypto';
import { crc32c, type Random, randomId } from '../../base/index.ts';
import type { FileSystem } from '../file-system.ts';

/** A file of the cache: its name says what its content must be. */
export interface CachedFile {
  path: string;
  bytes: number;
  checksum: string;
}

/**
 * The files of a cache: `<root>/objects/<2 digits>/<hash of the key>-<crc32c>-<bytes>`, which become visible whole, by a rename. Nothing is synced:
 * what a power loss tears no longer has the size and checksum of its name. Processes may share a folder.
 */
export class CacheFolder {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #random: Random;
  readonly #made = new Set<string>();

  constructor(fs: FileSystem, root: string, random: Random) {
    this.#fs = fs;
    this.#root = root;
    this.#random = random;
  }

  async write(hash: string, content: Uint8Array): Promise<CachedFile> {
    const checksum = checksumOf(content);
    const path = `${await this.#folder(`objects/${hash.slice(0, 2)}`)}/${hash}-${checksum}-${content.length}`;
    const temporary = `${await this.#folder('unfinished')}/${randomId(this.#random)}`;
    try {
      const file = await this.#fs.open(temporary, 'create');
      try {
        await file.write(content, 0);
      } finally {
        await file.close();
      }
      await this.#fs.rename(temporary, path);
    } catch (error) {
      await this.#fs.unlink(temporary).catch(() => {});
      throw error;
    }
    return { path, bytes: content.length, checksum };
  }

  /** Null when it is gone or not as it was written; then it is removed. */
  async read(file: CachedFile): Promise<Uint8Array | null> {
    const content = await this.#fs.readFile(file.path).catch(() => null);
    if (content === null) return null;
    if (content.length === file.bytes && checksumOf(content) === file.checksum) return content;
    await this.remove(file);
    return null;
  }

  /** Null when it is gone. */
  async readRange(file: CachedFile, start: number, end: number): Promise<Uint8Array | null> {
    try {
      const open = await this.#fs.open(file.path, 'read');
      try {
        return await open.read(start, Math.max(0, Math.min(end, file.bytes) - start));
      } finally {
        await open.close();
      }
    } catch {
      return null;
    }
  }

  /** One that another process may have added since. */
  async find(hash: string): Promise<CachedFile | null> {
    const files = await this.#list(`${this.#root}/objects/${hash.slice(0, 2)}`);
    return files.find(file => file.hash === hash)?.file ?? null;
  }

  async all(): Promise<{ hash: string; file: CachedFile }[]> {
    const folders = await this.#fs.readdir(`${this.#root}/objects`).catch(() => []);
    const found: { hash: string; file: CachedFile }[] = [];
    for (const { name } of folders) found.push(...(await this.#list(`${this.#root}/objects/${name}`)));
    return found;
  }

  async remove(file: CachedFile): Promise<void> {
    await this.#fs.unlink(file.path).catch(() => {});
  }

  /** A second name that stays when the first is removed. */
  async link(file: CachedFile, to: string): Promise<boolean> {
    return this.#fs.link(file.path, to).then(
      () => true,
      () => false,
    );
  }

  async unlink(path: string): Promise<void> {
    await this.#fs.unlink(path).catch(() => {});
  }

  /** A folder of this process, for second names. */
  async holdingFolder(owner: string): Promise<string> {
    return this.#folder(`held/${owner}`);
  }

  /** Removes what processes that are gone left: second names, and files that were never finished. */
  async sweep(isGone: (owner: string) => boolean): Promise<void> {
    for (const { name } of await this.#fs.readdir(`${this.#root}/held`).catch(() => [])) {
      if (!isGone(name)) continue;
      for (const file of await this.#fs.readdir(`${this.#root}/held/${name}`).catch(() => [])) {
        await this.unlink(`${this.#root}/held/${name}/${file.name}`);
      }
    }
  }

  async #list(folder: string): Promise<{ hash: string; file: CachedFile }[]> {
    const entries = await this.#fs.readdir(folder).catch(() => []);
    return entries.flatMap(({ name }) => {
      const [, hash, checksum, bytes] = /^([0-9a-f]{40})-([0-9a-f]{8})-(\d+)$/.exec(name) ?? [];
      return hash === undefined ? [] : [{ hash, file: { path: `${folder}/${name}`, bytes: Number(bytes), checksum } }];
    });
  }

  async #folder(name: string): Promise<string> {
    const path = `${this.#root}/${name}`;
    if (!this.#made.has(name)) await this.#fs.mkdir(path);
    this.#made.add(name);
    return path;
  }
}

export function cacheHash(key: string): string {
  return createHash('sha1').update(key).digest('hex');
}

function checksumOf(content: Uint8Array): string {
  return crc32c(content).toString(16).padStart(8, '0');
}
