import type { CliContext } from './context.ts';

/** Shows what comes, item by item, until a signal or, if there is one, a number of items ends it. */
export async function showLive<T>(
  context: CliContext,
  open: (signal: AbortSignal) => AsyncIterable<T>,
  show: (item: T) => void,
  times = Number.POSITIVE_INFINITY,
): Promise<void> {
  const stop = new AbortController();
  const unlisten = context.onSignal(() => stop.abort());
  let left = times;
  try {
    for await (const item of open(stop.signal)) {
      show(item);
      if (--left <= 0) break;
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    unlisten();
  }
}
