import type { Bm25, CorpusStatistics } from '../text/bm25.ts';
import { type Accept, type Cut, endRowOf, firstRowOf } from './cut.ts';
import { CHUNK_ROWS } from './row-flags.ts';
import type { SearchableChunk } from './searchable-chunk.ts';
import { frequencyOf, rowOf } from './text-index.ts';
import { TopHits } from './top-hits.ts';
import { totalsOf } from './totals.ts';

/** One term's postings of one chunk; every use is over before the next begins. */
const postings = new Uint32Array(CHUNK_ROWS);

/** Documents, tokens and document frequencies over the rows that win in the cut. A repeated term has the same frequency at each place. */
export function textStatisticsOf(cut: Cut, terms: readonly string[]): CorpusStatistics {
  const { documents, tokens } = totalsOf(cut.chunks, cut.start, cut.end);
  const frequencies = new Map<string, number>();
  for (const term of terms) {
    if (!frequencies.has(term)) frequencies.set(term, documentFrequency(cut, term));
  }
  return { documents, tokens, frequencies: terms.map(term => frequencies.get(term)!) };
}

function documentFrequency(cut: Cut, term: string): number {
  let frequency = 0;
  for (const chunk of cut.chunks) {
    const whole = chunk.base >= cut.start && chunk.end <= cut.end && chunk.newestMark < 0;
    if (whole) frequency += chunk.text!.count(term);
    else {
      const count = chunk.text!.read(term, firstRowOf(cut, chunk), endRowOf(cut, chunk), postings);
      for (let at = 0; at < count; at++) if (!chunk.isSuperseded(rowOf(postings[at]), cut.end)) frequency++;
    }
  }
  return frequency;
}

/** The best rows by BM25, chunk by chunk, term by term: only postings of the query's terms are read. */
export function searchTextIn(
  cut: Cut<SearchableChunk>,
  terms: readonly string[],
  bm25: Bm25,
  limit: number,
  accept: Accept | undefined,
): TopHits {
  const top = new TopHits(limit);
  const scratch = { scores: new Float64Array(CHUNK_ROWS), rows: new Uint16Array(CHUNK_ROWS) };
  for (const chunk of cut.chunks) {
    const count = scoreChunk(cut, chunk, terms, bm25, scratch);
    for (let index = 0; index < count; index++) {
      const row = scratch.rows[index];
      const score = scratch.scores[row];
      scratch.scores[row] = 0;
      const ordinal = chunk.base + row;
      if (top.wouldEnter(score, ordinal) && (accept === undefined || accept(ordinal))) top.add(score, ordinal);
    }
  }
  return top;
}

/** Adds up the scores of the chunk's rows in the order of the terms, as Bm25.score does, so that both give the same bits. */
function scoreChunk(
  cut: Cut<SearchableChunk>,
  chunk: SearchableChunk,
  terms: readonly string[],
  bm25: Bm25,
  { scores, rows }: { scores: Float64Array; rows: Uint16Array },
): number {
  const { lengths } = chunk;
  const clean = chunk.newestMark < 0;
  let count = 0;
  for (const [place, term] of terms.entries()) {
    const found = chunk.text!.read(term, firstRowOf(cut, chunk), endRowOf(cut, chunk), postings);
    for (let at = 0; at < found; at++) {
      const row = rowOf(postings[at]);
      if (!clean && chunk.isSuperseded(row, cut.end)) continue;
      if (scores[row] === 0) rows[count++] = row;
      scores[row] += bm25.termScore(place, frequencyOf(postings[at]), lengths[row]);
    }
  }
  return count;
}
