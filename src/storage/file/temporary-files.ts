import { type Random, randomId } from '../../base/index.ts';
import type { FileSystem } from '../file-system.ts';
import type { DurableFolders } from './durable-folders.ts';
import { errnoOf, storageError } from './fault.ts';

/**
 * Files that are complete and durable before they get their name. A process that dies leaves some behind; the next one sweeps them all when it
 * first writes. That is safe at any moment: should the file of a living writer be swept, its link or rename fails with ENOENT, nothing was
 * written, and the writer starts over.
 */
export class TemporaryFiles {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #folders: DurableFolders;
  readonly #random: Random;
  #swept: Promise<void> | null = null;

  constructor(fs: FileSystem, folder: string, folders: DurableFolders, random: Random) {
    this.#fs = fs;
    this.#folder = folder;
    this.#folders = folders;
    this.#random = random;
  }

  /** Writes and syncs a new file and returns its path. Throws TW_STORAGE_FULL or TW_STORAGE_UNAVAILABLE. */
  async write(bytes: Uint8Array): Promise<string> {
    const path = `${this.#folder}/${randomId(this.#random)}`;
    try {
      await this.#prepare();
      const file = await this.#fs.open(path, 'create');
      try {
        await file.write(bytes, 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      return path;
    } catch (error) {
      await this.remove(path);
      throw storageError(error, 'A temporary file could not be written');
    }
  }

  /** Never fails: what stays is swept later. */
  async remove(path: string): Promise<void> {
    await this.#fs.unlink(path).catch(() => {});
  }

  /** The names of files that have no key yet: of writers at work, or of some that died. */
  async list(): Promise<string[]> {
    if ((await this.#fs.stat(this.#folder)) === null) return [];
    return (await this.#fs.readdir(this.#folder)).map(({ name }) => name);
  }

  /** Removes those of these names that are still there; returns how many. */
  async sweep(names: readonly string[]): Promise<number> {
    const present = new Set(await this.list());
    const left = names.filter(name => present.has(name));
    for (const name of left) await this.remove(`${this.#folder}/${name}`);
    return left.length;
  }

  #prepare(): Promise<void> {
    this.#swept ??= this.#sweep().catch(error => {
      this.#swept = null;
      throw error;
    });
    return this.#swept;
  }

  async #sweep(): Promise<void> {
    await this.#folders.ensure(this.#folder);
    for (const { name } of await this.#fs.readdir(this.#folder)) {
      await this.#fs.unlink(`${this.#folder}/${name}`).catch(error => {
        if (errnoOf(error) !== 'ENOENT') throw error;
      });
    }
  }
}
