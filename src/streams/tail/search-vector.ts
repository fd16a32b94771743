import { type Accept, type Cut, endRowOf, firstRowOf } from './cut.ts';
import { ROW } from './row-flags.ts';
import type { SearchableChunk } from './searchable-chunk.ts';
import { TopHits } from './top-hits.ts';

/** The rows most similar to the query, by the dot product of unit vectors; every vector of the cut is compared,
 * most of them only as far as it takes to rule them out. */
export function searchVectorIn(
  cut: Cut<SearchableChunk>,
  query: Float32Array,
  limit: number,
  accept: Accept | undefined,
): TopHits {
  const top = new TopHits(limit);
  for (const chunk of cut.chunks) {
    const firstRow = firstRowOf(cut, chunk);
    const { vectors, flags, base } = chunk;
    if (vectors === null) continue;
    vectors.setQuery(query);
    const bounds = vectors.bounds(firstRow, endRowOf(cut, chunk));
    let { floor } = top;
    for (let index = 0; index < bounds.length; index++) {
      if (bounds[index] < floor) continue;
      const row = firstRow + index;
      if ((flags[row] & ROW.vector) === 0 || chunk.isSuperseded(row, cut.end)) continue;
      const dot = vectors.dot(row);
      if (!top.wouldEnter(dot, base + row) || (accept !== undefined && !accept(base + row))) continue;
      top.add(dot, base + row);
      floor = top.floor;
    }
  }
  return top;
}
