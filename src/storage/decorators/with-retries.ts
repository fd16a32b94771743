import { type Clock, isTailwaterError, type Random } from '../../base/index.ts';
import type { ObjectStore, PutOutcome } from '../object-store.ts';

export interface RetryOptions {
  clock: Clock;
  random: Random;
  /** In all, the first included; default 5. */
  attempts?: number;
  /** Upper bound of the first pause; doubles with every further one up to MAX_DELAY_MS. Default 50. */
  baseDelayMs?: number;
}

const MAX_DELAY_MS = 5_000;

/**
 * Repeats what is safe to repeat, after a random pause ("full jitter"): whatever threw TW_STORAGE_UNAVAILABLE, since that is thrown only when nothing
 * was written, and unconditional puts of unknown outcome. A conditional put of unknown outcome stays unknown: repeated, it would meet its own
 * effect and report *exists* or *mismatch*.
 */
export function withRetries(store: ObjectStore, options: RetryOptions): ObjectStore {
  const attempts = options.attempts ?? 5;
  const pause = (attempt: number, atLeastMs: number): Promise<void> => {
    const longestMs = Math.min(MAX_DELAY_MS, (options.baseDelayMs ?? 50) * 2 ** (attempt - 1));
    return options.clock.sleep(atLeastMs + longestMs * options.random.float());
  };
  const retry = async <T>(work: () => Promise<T>, isOpen: (result: T) => boolean): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      let atLeastMs = 0;
      try {
        const result = await work();
        if (attempt >= attempts || !isOpen(result)) return result;
      } catch (error) {
        if (attempt >= attempts || !isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')) throw error;
        atLeastMs = error.retryAfterMs ?? 0;
      }
      await pause(attempt, atLeastMs);
    }
  };
  const never = (): boolean => false;
  return {
    put: (key, bytes, condition) => {
      const isOpen = (outcome: PutOutcome): boolean => condition === undefined && outcome.kind === 'unknown';
      return retry(() => store.put(key, bytes, condition), isOpen);
    },
    get: (key, range) => retry(() => store.get(key, range), never),
    head: key => retry(() => store.head(key), never),
    list: (prefix, page) => retry(() => store.list(prefix, page), never),
    delete: keys => retry(() => store.delete(keys), never),
  };
}
