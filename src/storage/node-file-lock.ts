import { DatabaseSync } from 'node:sqlite';
import { systemClock, TailwaterError } from '../base/index.ts';
import type { FileLock } from './file-system.ts';

/** SQLITE_BUSY: another connection, of this process or another, holds the lock. */
const BUSY = 5;
/** With its default journal, a file, SQLite needs space on the disk to lock: on a full disk nothing could be deleted. */
const TAKE_LOCK = 'PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE';
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;
/** About a minute of waiting: whoever holds a lock that long is stopped or its disk does not answer. */
const MAX_ATTEMPTS = 2400;

/**
 * Takes an exclusive lock on a file, made when absent, by an SQLite transaction that writes nothing. Node has no lock call of its own; SQLite's
 * locks are the operating system's (fcntl), so they end with the process however it dies, and they hold between connections of one process too.
 * Throws TW_STORAGE_UNAVAILABLE when the lock is not free for about a minute.
 */
export async function lockFile(path: string): Promise<FileLock> {
  const database = new DatabaseSync(path);
  let pauseMs = FIRST_PAUSE_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      database.exec(TAKE_LOCK);
      return { release: async () => database.close() };
    } catch (error) {
      if (!isBusy(error) || attempt === MAX_ATTEMPTS) {
        database.close();
        throw new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: `The lock ${path} could not be taken.`, cause: error });
      }
    }
    await systemClock.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === BUSY;
}
