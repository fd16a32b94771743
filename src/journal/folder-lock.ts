import { DatabaseSync } from 'node:sqlite';
import { TailwaterError } from '../base/index.ts';

/** SQLITE_BUSY: someone else holds the lock. */
const SQLITE_BUSY = 5;

/**
 * The right to be a folder's only process: an exclusive transaction on a SQLite file, which the operating system ends when the
 * process dies, however it dies. Nothing else in this process may open and close the file: POSIX would drop the lock.
 */
export class FolderLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws TW_FOLDER_IN_USE at once when another process, or another part of this one, holds the lock. */
  static acquire(path: string): FolderLock {
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      // Without a journal file, a folder on a full disk can still be opened.
      database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      return new FolderLock(database);
    } catch (error) {
      database?.close();
      throw lockError(path, error);
    }
  }

  /** Gives the folder up; safe to repeat. */
  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function lockError(path: string, cause: unknown): TailwaterError {
  const busy = cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY;
  if (busy) return new TailwaterError('TW_FOLDER_IN_USE', { detail: `Another process holds ${path}.`, cause });
  return new TailwaterError('TW_STORAGE_UNAVAILABLE', {
    detail: `Cannot lock ${path}: ${cause instanceof Error ? cause.message : String(cause)}.`,
    cause,
  });
}
