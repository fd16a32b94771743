import type { Window } from '../definition/windows.ts';
import type { Place, RowBlocks } from './row-blocks.ts';

/** The rows of a window at an instant: from one place to another. */
export interface RowRange {
  from: Place;
  to: Place;
}

/** Pure. Rows later than the instant are in no window. */
export function rangeOf(window: Window, rows: RowBlocks, atMs: number): RowRange {
  switch (window.kind) {
    case 'sliding': {
      const fromMs = atMs - window.sizeMs;
      return {
        from: window.bounds === '(]' ? rows.after(fromMs) : rows.before(fromMs),
        to: window.bounds === '[)' ? rows.before(atMs) : rows.after(atMs),
      };
    }
    case 'tumbling': {
      const startMs = Math.floor(atMs / window.sizeMs) * window.sizeMs;
      if (!window.complete) return { from: rows.before(startMs), to: rows.after(atMs) };
      return { from: rows.before(startMs - window.sizeMs), to: rows.before(startMs) };
    }
    case 'session': {
      const to = rows.after(atMs);
      const last = rows.rowBefore(to);
      if (last === undefined || atMs - last.timeMs > window.gapMs) return { from: to, to };
      const limit = rows.after(atMs - window.maxMs);
      return { from: rows.runBefore(to, window.gapMs, limit), to };
    }
    case 'rows': {
      const to = rows.after(atMs);
      return { from: rows.back(to, window.count), to };
    }
    case 'lifetime':
      return { from: rows.start, to: rows.after(atMs) };
  }
}

export function isEmptyRange({ from, to }: RowRange, rows: RowBlocks): boolean {
  if (from.block === to.block) return from.index >= to.index;
  // A place at the end of a block is also the one at the start of the next.
  return rows.rowBefore(to) === undefined || rows.countUpTo(from) >= rows.countUpTo(to);
}
