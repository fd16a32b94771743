import type { TailChunk, Totals } from './chunk.ts';
import { ROW } from './row-flags.ts';

/** Sums over the rows of [start, end) that win in that cut. Chunks wholly inside give their running totals, others are read row by row. */
export function totalsOf(chunks: readonly TailChunk[], start: number, end: number): Totals {
  const sum: Totals = { rows: 0, documents: 0, tokens: 0, missing: 0 };
  for (const chunk of chunks) {
    const whole = chunk.base >= start && chunk.end <= end && chunk.newestMark < end;
    const part = whole ? chunk.live : scanned(chunk, start, end);
    sum.rows += part.rows;
    sum.documents += part.documents;
    sum.tokens += part.tokens;
    sum.missing += part.missing;
  }
  return sum;
}

function scanned(chunk: TailChunk, start: number, end: number): Totals {
  const totals: Totals = { rows: 0, documents: 0, tokens: 0, missing: 0 };
  const { flags, lengths } = chunk;
  const lastRow = Math.min(chunk.end, end) - chunk.base;
  for (let row = Math.max(0, start - chunk.base); row < lastRow; row++) {
    if (!chunk.wins(row, end)) continue;
    totals.rows++;
    if ((flags[row] & ROW.document) !== 0) {
      totals.documents++;
      totals.tokens += lengths[row];
    }
    if ((flags[row] & (ROW.embeddable | ROW.vector)) === ROW.embeddable) totals.missing++;
  }
  return totals;
}
