import type { TableRow } from '../table-types.ts';

/**
 * The first `limit` rows of [first, last] by offset, from a reader of whole windows in any order. Offsets are dense except for what
 * retention removed, so that windows of about `limit` offsets suffice; after a hole they grow.
 */
export async function readOffsets(
  first: number,
  last: number,
  limit: number,
  read: (from: number, through: number) => Promise<TableRow[]>,
): Promise<TableRow[]> {
  const found: TableRow[] = [];
  let width = limit;
  for (let from = first; from <= last && found.length < limit; ) {
    const through = Math.min(last, from + width - 1);
    const window = await read(from, through);
    found.push(...window.sort((a, b) => a.offset - b.offset));
    from = through + 1;
    width *= 4;
  }
  return found.slice(0, limit);
}
