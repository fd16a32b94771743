import { TailwaterError } from '../base/index.ts';
import type { FileSystem, OpenFile } from '../storage/index.ts';

/** How many files stay open for reading. */
const MAX_OPEN_FILES = 8;

interface Reader {
  opening: Promise<OpenFile>;
  users: number;
  dropped: boolean;
}

/** A few files kept open for reading, the least recently used closed first, and never while a read is under way. */
export class FileReaders {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #readers = new Map<string, Reader>();
  #closed = false;

  constructor(fs: FileSystem, folder: string) {
    this.#fs = fs;
    this.#folder = folder;
  }

  async use<T>(name: string, task: (file: OpenFile) => Promise<T>): Promise<T> {
    if (this.#closed) throw new TailwaterError('TW_CLOSED', { detail: 'The journal is closed.' });
    const reader = this.#acquire(name);
    try {
      return await task(await reader.opening);
    } catch (error) {
      // The next use opens the file afresh: this descriptor may be what failed.
      this.drop(name, reader);
      throw error;
    } finally {
      reader.users--;
      if (reader.dropped && reader.users === 0) await closeQuietly(reader);
    }
  }

  /** Closes a file as soon as nobody reads it. */
  drop(name: string, reader: Reader | undefined = this.#readers.get(name)): void {
    if (!reader || reader.dropped) return;
    reader.dropped = true;
    if (this.#readers.get(name) === reader) this.#readers.delete(name);
    if (reader.users === 0) void closeQuietly(reader);
  }

  /** Reads under way finish; later ones throw TW_CLOSED. */
  close(): void {
    this.#closed = true;
    for (const name of [...this.#readers.keys()]) this.drop(name);
  }

  #acquire(name: string): Reader {
    const known = this.#readers.get(name);
    const reader = known ?? { opening: this.#fs.open(`${this.#folder}/${name}`, 'read'), users: 0, dropped: false };
    this.#readers.delete(name);
    this.#readers.set(name, reader);
    reader.users++;
    if (this.#readers.size > MAX_OPEN_FILES) this.drop(this.#readers.keys().next().value!);
    return reader;
  }
}

async function closeQuietly(reader: Reader): Promise<void> {
  try {
    await (await reader.opening).close();
  } catch {
    // It never opened, or is closed already: either way nothing is held.
  }
}
