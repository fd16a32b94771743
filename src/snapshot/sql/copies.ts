import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTailwaterError } from '../../base/index.ts';
import type { FileSystem } from '../../storage/index.ts';

export interface CopiesOptions {
  fs: FileSystem;
  /** A folder of its own: made when it is first needed, removed with all that is in it on `close`. */
  folder: string;
  /** Of the files that no query reads; 0: none is kept. */
  maxBytes: number;
}

interface Copy {
  key: string;
  columns: readonly string[];
  path: string;
  bytes: number;
  users: number;
  isFull: boolean;
  filling: Promise<void> | null;
}

/** Writes these columns to a file that is not there yet. */
export type WriteCopy = (path: string, columns: readonly string[]) => Promise<void>;

/** A copy that stays until it is released. */
export interface HeldCopy {
  path: string;
  columns: readonly string[];
  /** Returns when the copy is whole: it was, another query makes it, or `write` does. */
  fill(write: WriteCopy): Promise<void>;
  release(): Promise<void>;
}

/**
 * Columns of immutable table contents as Parquet files, for tables that DuckDB cannot read in place: made by the first query that needs them,
 * kept for the next ones while they are among those used last that fit the budget.
 */
export class TableCopies {
  readonly #options: CopiesOptions;
  /** Least recently used first. */
  #copies: Copy[] = [];
  #names = 0;
  #made = 0;
  #reused = 0;

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** Whether a copy with these columns is whole. */
  has(key: string, columns: readonly string[]): boolean {
    return this.#find(key, columns)?.isFull === true;
  }

  /** Whether a copy of so many values may be kept, by what eight bytes a value would need. */
  mayKeep(rows: number, columns: number): boolean {
    return rows * columns * 8 <= this.#options.maxBytes;
  }

  /** `key` names the content. A new copy has also the columns of those before it, so that one will do for all. */
  take(key: string, columns: readonly string[]): HeldCopy {
    const copy = this.#find(key, columns) ?? this.#add(key, columns);
    copy.users++;
    this.#copies = [...this.#copies.filter(each => each !== copy), copy];
    let isHeld = true;
    return {
      path: copy.path,
      columns: copy.columns,
      fill: write => this.#fill(copy, write),
      release: async () => {
        if (!isHeld) return;
        isHeld = false;
        copy.users--;
        await this.#trim();
      },
    };
  }

  stats(): Record<string, number> {
    return { copyBytes: this.#bytes(), copyFiles: this.#copies.length, copiesMade: this.#made, copiesReused: this.#reused };
  }

  async close(): Promise<void> {
    this.#copies = [];
    await rm(this.#options.folder, { recursive: true, force: true });
  }

  #find(key: string, columns: readonly string[]): Copy | undefined {
    return this.#copies.find(copy => copy.key === key && columns.every(column => copy.columns.includes(column)));
  }

  #add(key: string, columns: readonly string[]): Copy {
    const known = this.#copies.filter(copy => copy.key === key && copy.isFull).flatMap(copy => copy.columns);
    const path = join(this.#options.folder, `${++this.#names}.parquet`);
    return { key, columns: [...new Set([...columns, ...known])], path, bytes: 0, users: 0, isFull: false, filling: null };
  }

  /** Whoever waits for a query that is called off, or ends late, goes on by itself. */
  async #fill(copy: Copy, write: WriteCopy): Promise<void> {
    while (copy.filling !== null) {
      try {
        await copy.filling;
      } catch (error) {
        if (!isTailwaterError(error, 'TW_CLOSED', 'TW_DEADLINE')) throw error;
      }
    }
    if (copy.isFull) {
      this.#reused++;
      return;
    }
    copy.filling = this.#write(copy, write);
    try {
      await copy.filling;
    } finally {
      copy.filling = null;
      await this.#trim();
    }
  }

  async #write(copy: Copy, write: WriteCopy): Promise<void> {
    const { fs, folder } = this.#options;
    await fs.mkdir(folder);
    try {
      await write(copy.path, copy.columns);
      copy.bytes = (await fs.stat(copy.path))?.size ?? 0;
      copy.isFull = true;
      this.#made++;
    } catch (error) {
      await this.#remove(copy);
      throw error;
    }
  }

  /** Copies that others replace, were not made, or do not fit, go as soon as nobody reads them. */
  async #trim(): Promise<void> {
    for (const copy of [...this.#copies]) {
      if (copy.users > 0 || copy.filling !== null) continue;
      const isReplaced = this.#copies.some(
        other => other !== copy && other.isFull && other.key === copy.key && isWithin(copy.columns, other.columns),
      );
      if (copy.isFull && !isReplaced && this.#bytes() <= this.#options.maxBytes) continue;
      this.#copies = this.#copies.filter(each => each !== copy);
      await this.#remove(copy);
    }
  }

  #bytes(): number {
    return this.#copies.reduce((sum, copy) => sum + copy.bytes, 0);
  }

  async #remove({ path }: Copy): Promise<void> {
    await this.#options.fs.unlink(path).catch(() => {});
  }
}

function isWithin(columns: readonly string[], others: readonly string[]): boolean {
  return columns.every(column => others.includes(column));
}
