import type { Window } from '../definition/windows.ts';

/** By instant, the rows [from, to) of a window. Both only rise. */
export interface Ranges {
  from: Int32Array;
  to: Int32Array;
}

/** Pure. The times of rows rise, and instants do. */
export function rangesOf(window: Window, rows: Float64Array, timesMs: Float64Array): Ranges {
  const ranges: Ranges = { from: new Int32Array(timesMs.length), to: new Int32Array(timesMs.length) };
  let from = 0;
  let to = 0;
  /** The start of the session that the row before `to` is in. */
  let session = 0;
  timesMs.forEach((atMs, index) => {
    const { fromMs, toMs } = edgesOf(window, atMs);
    for (; to < rows.length && rows[to] < toMs; to++) {
      if (window.kind === 'session' && to > 0 && rows[to] - rows[to - 1] > window.gapMs) session = to;
    }
    while (from < to && rows[from] < fromMs) from++;
    if (window.kind === 'rows') from = Math.max(from, to - window.count);
    if (window.kind === 'session') from = isOver(window.gapMs, rows, to, atMs) ? to : Math.max(from, session);
    ranges.from[index] = from;
    ranges.to[index] = to;
  });
  return ranges;
}

function isOver(gapMs: number, rows: Float64Array, to: number, atMs: number): boolean {
  return to === 0 || atMs - rows[to - 1] > gapMs;
}

/** Rows with fromMs <= time < toMs may be in the window; times are whole milliseconds. */
function edgesOf(window: Window, atMs: number): { fromMs: number; toMs: number } {
  switch (window.kind) {
    case 'sliding':
      return {
        fromMs: atMs - window.sizeMs + (window.bounds === '(]' ? 1 : 0),
        toMs: window.bounds === '[)' ? atMs : atMs + 1,
      };
    case 'tumbling': {
      const startMs = Math.floor(atMs / window.sizeMs) * window.sizeMs;
      return window.complete ? { fromMs: startMs - window.sizeMs, toMs: startMs } : { fromMs: startMs, toMs: atMs + 1 };
    }
    case 'session':
      return { fromMs: atMs - window.maxMs + 1, toMs: atMs + 1 };
    default:
      return { fromMs: Number.NEGATIVE_INFINITY, toMs: atMs + 1 };
  }
}
