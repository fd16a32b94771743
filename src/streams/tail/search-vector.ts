import { type Accept, type Cut, endRowOf, firstRowOf } from './cut.ts';
import { ROW } from './row-flags.ts';
import type { SearchableChunk } from './searchable-chunk.ts';
import { TopHits } from './top-hits.ts';

/** The rows most similar to the query, by the dot product of unit vectors; every vector of the cut is compared. */
export function searchVectorIn(
  cut: Cut<SearchableChunk>,
  query: Float32Array,
  limit: number,
  accept: Accept | undefined,
): TopHits {
  const top = new TopHits(limit);
  for (const chunk of cut.chunks) {
    const firstRow = firstRowOf(cut, chunk);
    const dots = chunk.vectors?.dots(query, firstRow, endRowOf(cut, chunk)) ?? [];
    const { flags, base } = chunk;
    let { floor } = top;
    for (let index = 0; index < dots.length; index++) {
      if (dots[index] < floor) continue;
      const row = firstRow + index;
      if ((flags[row] & ROW.vector) === 0 || chunk.isSuperseded(row, cut.end)) continue;
      if (!top.wouldEnter(dots[index], base + row) || (accept !== undefined && !accept(base + row))) continue;
      top.add(dots[index], base + row);
      floor = top.floor;
    }
  }
  return top;
}
