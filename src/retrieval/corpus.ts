import type { Pinned } from '../snapshot/index.ts';
import { Bm25 } from '../streams/index.ts';

/**
 * The scoring function of one search: BM25 over tail and table as one corpus (R3). The table's statistics less those of the
 * rows that the tail hides, plus those of the tail's own rows.
 */
export async function corpusScorer(pinned: Pinned, terms: readonly string[]): Promise<Bm25> {
  const { table, shadowed, tail } = pinned;
  const fresh = tail.textStatistics(terms);
  if (table === null) return new Bm25(fresh);
  const hidden = (await shadowed?.totals(tail, terms)) ?? { documents: 0, tokens: 0, frequencies: terms.map(() => 0) };
  return new Bm25({
    documents: table.statistics.documents - hidden.documents + fresh.documents,
    tokens: table.statistics.tokens - hidden.tokens + fresh.tokens,
    frequencies: terms.map(
      (term, index) => table.statistics.documentFrequency(term) - hidden.frequencies[index] + fresh.frequencies[index],
    ),
  });
}
