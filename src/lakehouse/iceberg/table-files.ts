import { rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { type Random, randomId, systemRandom, TailwaterError } from '../../base/index.ts';
import { type FileSystem, nodeFileSystem, storageError } from '../../storage/index.ts';

/**
 * Where the files of Iceberg tables are: names are relative paths with slashes. In a local folder, or in an object store with local copies of
 * what DuckDB reads. Files never change.
 */
export interface TableFiles {
  /** The address that manifests give, for any engine. */
  uri(name: string): string;
  /** The local path that DuckDB opens, while the file is held, or writes a temporary file to. */
  enginePath(name: string): string;
  /** Makes these files readable at their paths until what is returned is called. What is not there is left out: its reader fails. */
  hold(names: readonly string[]): Promise<() => void>;
  /** Null when there is no such file. */
  read(name: string): Promise<Uint8Array | null>;
  /**
   * The content that a file of another engine has at one moment: whole, of one version. Null when there is none or it is being replaced.
   * TW_BAD_REQUEST when it has more than `maxBytes`.
   */
  readForeign(name: string, maxBytes: number): Promise<Uint8Array | null>;
  /** Durable when it returns; false when the name is taken. */
  create(name: string, bytes: Uint8Array): Promise<boolean>;
  /** Gives a file that an engine wrote, and which has this content, its name: durable, content and name, when it returns. */
  adopt(written: string, name: string, content: Uint8Array): Promise<void>;
  makeFolder(folder: string): Promise<void>;
  /** Names within the folder; none when there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Names of all files below the folder, with slashes. */
  below(folder: string): Promise<string[]>;
  size(name: string): Promise<number | null>;
  /** Null when there is no such file, or it is not known when it was written. */
  modifiedAtMs(name: string): Promise<number | null>;
  /** One after another. No error for what is not there. */
  remove(names: readonly string[]): Promise<void>;
  removeFolder(folder: string): Promise<void>;
}

/** Table files in a local folder. */
export class LocalTableFiles implements TableFiles {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #random: Random;
  readonly #made = new Set<string>();

  constructor(root: string, fs: FileSystem = nodeFileSystem, random: Random = systemRandom) {
    this.#fs = fs;
    this.#root = root;
    this.#random = random;
  }

  /** Not percent-encoded: engines take what follows for the path, as it is. */
  uri(name: string): string {
    const path = resolve(this.enginePath(name)).replaceAll(sep, '/');
    return `file://${path.startsWith('/') ? '' : '/'}${path}`;
  }

  enginePath(name: string): string {
    return join(this.#root, name);
  }

  async hold(): Promise<() => void> {
    return () => {};
  }

  async read(name: string): Promise<Uint8Array | null> {
    try {
      return await this.#fs.readFile(this.enginePath(name));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async readForeign(name: string, maxBytes: number): Promise<Uint8Array | null> {
    const size = await this.size(name);
    if (size !== null) requireAtMost(maxBytes, name, size);
    return size === null ? null : this.read(name);
  }

  async create(name: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.enginePath(name);
    // Of its own: another process may be creating the same name.
    const temporary = `${path}.${randomId(this.#random)}.tmp`;
    try {
      await this.#write(temporary, bytes);
      await this.#fs.link(temporary, path);
      await this.#fs.syncFolder(dirname(path));
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw storageError(error, `${name} could not be written`);
    } finally {
      await this.#fs.unlink(temporary).catch(() => {});
    }
  }

  async adopt(written: string, name: string): Promise<void> {
    try {
      const file = await this.#fs.open(this.enginePath(written), 'write');
      try {
        await file.datasync();
      } finally {
        await file.close();
      }
      await this.#fs.rename(this.enginePath(written), this.enginePath(name));
      await this.#fs.syncFolder(dirname(this.enginePath(name)));
    } catch (error) {
      throw storageError(error, `${name} could not be made durable`);
    }
  }

  async makeFolder(folder: string): Promise<void> {
    if (this.#made.has(folder)) return;
    const path = this.enginePath(folder);
    await this.#fs.mkdir(path);
    for (let made = path; made !== dirname(this.#root) && made !== dirname(made); made = dirname(made)) {
      await this.#fs.syncFolder(dirname(made));
    }
    this.#made.add(folder);
  }

  async list(folder: string): Promise<string[]> {
    try {
      return (await this.#fs.readdir(this.enginePath(folder))).map(entry => entry.name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async size(name: string): Promise<number | null> {
    return (await this.#fs.stat(this.enginePath(name)))?.size ?? null;
  }

  async below(folder: string): Promise<string[]> {
    const names: string[] = [];
    const walk = async (inner: string): Promise<void> => {
      const entries = await this.#fs.readdir(this.enginePath(`${folder}/${inner}`)).catch(error => {
        if (isMissing(error)) return [];
        throw error;
      });
      for (const { name, isDirectory } of entries) {
        if (isDirectory) await walk(`${inner}${name}/`);
        else names.push(inner + name);
      }
    };
    await walk('');
    return names;
  }

  async modifiedAtMs(name: string): Promise<number | null> {
    return (await this.#fs.stat(this.enginePath(name)))?.modifiedAtMs ?? null;
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#fs.unlink(this.enginePath(name)).catch(error => {
        if (!isMissing(error)) throw error;
      });
    }
  }

  async removeFolder(folder: string): Promise<void> {
    this.#made.clear();
    await rm(this.enginePath(folder), { recursive: true, force: true });
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#fs.open(path, 'create');
    try {
      await file.write(bytes, 0);
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}

/** TW_BAD_REQUEST. */
export function requireAtMost(maxBytes: number, name: string, size: number): void {
  if (size <= maxBytes) return;
  throw new TailwaterError('TW_BAD_REQUEST', { detail: `${name} has ${size} bytes; at most ${maxBytes} are taken.` });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
