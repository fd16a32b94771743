/** Relevance of documents to a query, by document id; 0 and below: not relevant. */
export type Judgements = ReadonlyMap<string, number>;

export interface QueryScores {
  /** Normalised discounted cumulative gain at k (Järvelin, Kekäläinen 2002), gains as judged and the discount log2(rank + 1). */
  ndcg: number;
  /** Share of the relevant documents that are in the whole ranking. */
  recall: number;
  /** 1 / rank of the first relevant document within k; 0 when there is none. */
  reciprocalRank: number;
}

/** Scores a ranking of distinct documents, best first. A query without a relevant document has no scores. */
export function scoresOf(ranking: readonly string[], judged: Judgements, k: number): QueryScores | null {
  const gains = [...judged.values()].filter(gain => gain > 0).sort((a, b) => b - a);
  if (gains.length === 0) return null;
  const gainOf = (id: string): number => Math.max(0, judged.get(id) ?? 0);
  const top = ranking.slice(0, k);
  const first = top.findIndex(id => gainOf(id) > 0);
  return {
    ndcg: discounted(top.map(gainOf)) / discounted(gains.slice(0, k)),
    recall: ranking.filter(id => gainOf(id) > 0).length / gains.length,
    reciprocalRank: first < 0 ? 0 : 1 / (first + 1),
  };
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, at) => sum + gain / Math.log2(at + 2), 0);
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value that a share of them does not exceed: the nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
