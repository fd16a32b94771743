import { asTailwaterError, isTailwaterError, TailwaterError } from '../../base/index.ts';
import { saysFull } from '../datasets/read-errors.ts';
import type { TableWork } from './settings.ts';

const MAX_DELAY_MS = 5_000;

/** A result, or 'lost' when another commit took the state's number. */
export type Attempt<T> = { kind: 'done'; value: T } | { kind: 'lost' };

/**
 * Runs an optimistic operation until it is done: every attempt reads the newest state and plans anew. Lost races and failures that
 * another attempt may not meet are tried again with jittered backoff, at most `maxAttempts` times. Then throws TW_COMPACTION_FAILED. A full
 * storage is TW_STORAGE_FULL at once: trying again would fill it with more of what is left behind.
 */
export async function untilDone<T>(work: TableWork, operation: string, attempt: () => Promise<Attempt<T>>): Promise<T> {
  let cause: unknown;
  for (let tries = 1; tries <= work.limits.maxAttempts; tries++) {
    try {
      const outcome = await attempt();
      if (outcome.kind === 'done') return outcome.value;
      cause = undefined;
    } catch (error) {
      if (isFull(error)) throw storageFull(work, operation, error);
      if (!mayPass(error)) throw error;
      cause = error;
    }
    work.logger?.debug(
      { stream: work.definition.name, operation, tries, cause: String(cause ?? 'lost the race') },
      'trying again',
    );
    if (tries < work.limits.maxAttempts) await work.clock.sleep(delayMs(work, tries));
  }
  throw new TailwaterError('TW_COMPACTION_FAILED', {
    detail: `${operation} of ${work.definition.name} did not succeed in ${work.limits.maxAttempts} attempts: ${reason(cause)}`,
    cause,
  });
}

/** Errors that are not ours come from the table engine; ours pass unless they say that trying again is pointless. */
function mayPass(error: unknown): boolean {
  if (!isTailwaterError(error)) return true;
  return isTailwaterError(
    error,
    'TW_COMPACTION_FAILED',
    'TW_OUTCOME_UNKNOWN',
    'TW_STORAGE_UNAVAILABLE',
    'TW_HISTORY_EXPIRED',
    'TW_BUSY',
  );
}

function isFull(error: unknown): boolean {
  return !isTailwaterError(error, 'TW_STORAGE_FULL') && saysFull(asTailwaterError(error).message);
}

function storageFull(work: TableWork, operation: string, cause: unknown): TailwaterError {
  return new TailwaterError('TW_STORAGE_FULL', {
    detail: `${operation} of ${work.definition.name} found no space; the table is as before, and the rows stay in the tail.`,
    cause,
  });
}

function delayMs(work: TableWork, tries: number): number {
  return Math.min(MAX_DELAY_MS, work.limits.baseDelayMs * 2 ** (tries - 1)) * (0.5 + work.random.float());
}

function reason(cause: unknown): string {
  return cause === undefined ? 'others committed each time.' : asTailwaterError(cause).message;
}
