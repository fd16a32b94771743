import type { TableRow } from '../table-types.ts';

export const MAX_BATCH_ROWS = 50_000;
const MAX_BATCH_BYTES = 64 * 1024 * 1024;

/** Cuts rows into ranges [start, end) of bounded size; a single row is never cut. */
export function* batchesOf(
  rows: readonly TableRow[],
  dimensions: number,
  maxRows = MAX_BATCH_ROWS,
): Generator<[start: number, end: number]> {
  const fixedBytes = dimensions * 4 + 64;
  let start = 0;
  let bytes = 0;
  for (let row = 0; row < rows.length; row++) {
    const rowBytes = fixedBytes + (rows[row].value?.length ?? 0) + (rows[row].key?.length ?? 0);
    if (row > start && (row - start >= maxRows || bytes + rowBytes > MAX_BATCH_BYTES)) {
      yield [start, row];
      start = row;
      bytes = 0;
    }
    bytes += rowBytes;
  }
  if (rows.length > start) yield [start, rows.length];
}
