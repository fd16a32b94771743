import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { SearchMode } from '../../retrieval/index.ts';
import type { QueryAnswer, TailwaterApi } from '../../server/index.ts';
import { mean, percentile, scoresOf } from './metrics.ts';
import type { JudgedQueries } from './read-judged.ts';

/** One way to search. */
export interface Manner {
  mode: Extract<SearchMode, 'text' | 'vector' | 'hybrid'>;
  /** Of the legs of hybrid search; null: as they are by default. */
  weights: { text: number; vector: number } | null;
}

export interface MannerScores extends Manner {
  queries: number;
  ndcg: number;
  recall: number;
  mrr: number;
  /** Share of the answers that had considered everything. */
  complete: number;
  /** Of the texts of the first k hits of a query, in tokens of o200k_base, on average. */
  tokens: number;
  p50Ms: number;
  p99Ms: number;
}

export interface Depths {
  /** Ranks that nDCG, MRR and tokens look at. */
  k: number;
  /** Ranks that recall looks at. */
  depth: number;
}

/** Asks every query in one manner, one after the other. `tell` hears of each. */
export async function evaluate(
  api: Pick<TailwaterApi, 'query'>,
  stream: string,
  { queries, judged }: JudgedQueries,
  manner: Manner,
  { k, depth }: Depths,
  tell: () => void,
): Promise<MannerScores> {
  const scores: NonNullable<ReturnType<typeof scoresOf>>[] = [];
  const tokens: number[] = [];
  const tookMs: number[] = [];
  let complete = 0;
  for (const { id, text } of queries) {
    const startedMs = performance.now();
    const { mode, weights } = manner;
    const answer = await api.query(stream, { text, mode, limit: depth, ...(weights === null ? {} : { weights }) });
    tookMs.push(performance.now() - startedMs);
    if (answer.freshness.complete) complete++;
    const own = scoresOf(documentsOf(answer), judged.get(id)!, k);
    if (own !== null) scores.push(own);
    tokens.push(answer.hits.slice(0, k).reduce((sum, { value }) => sum + countTokens(textsIn(value)), 0));
    tell();
  }
  return {
    ...manner,
    queries: scores.length,
    ndcg: mean(scores.map(({ ndcg }) => ndcg)),
    recall: mean(scores.map(({ recall }) => recall)),
    mrr: mean(scores.map(({ reciprocalRank }) => reciprocalRank)),
    complete: queries.length === 0 ? 1 : complete / queries.length,
    tokens: mean(tokens),
    p50Ms: percentile(tookMs, 0.5),
    p99Ms: percentile(tookMs, 0.99),
  };
}

/** A document by its best chunk; rows are documents of their own. */
function documentsOf({ hits }: QueryAnswer): string[] {
  return [...new Set(hits.map(({ id, source }) => source?.document ?? id))];
}

function textsIn(value: object): string {
  return Object.values(value)
    .filter(field => typeof field === 'string')
    .join('\n');
}
