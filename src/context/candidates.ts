import type { JsonValue } from '../base/index.ts';
import type { ContextItem, LegKind } from './context-types.ts';

/** What a leg found, best first, before the budget is spent. */
export interface Candidate {
  leg: string;
  kind: LegKind;
  required: boolean;
  tier: ContextItem['tier'];
  ageMs: number | null;
  source: ContextItem['source'];
  ranks: ContextItem['ranks'];
  value: JsonValue;
  /** Place within the leg, from 1. */
  rank: number;
  /** What it is worth in the answer. */
  score: number;
  /** As it stands in the text, but for its number. */
  block: string;
  tokens: number;
}

/** The constant by which ranks are turned into worth, as in reciprocal rank fusion: rank 1 is worth 1, rank 61 half of it. */
const RANK_K = 60;

/** Pure: worth by rank within the leg, the leg's weight, and age. What has no age does not decay. */
export function worthOf(
  rank: number,
  weight: number,
  ageMs: number | null,
  recency: { halfLifeMs: number; weight: number } | null,
): number {
  const byRank = (weight * (RANK_K + 1)) / (RANK_K + rank);
  if (recency === null || ageMs === null) return byRank;
  return byRank * (1 - recency.weight + recency.weight * 0.5 ** (ageMs / recency.halfLifeMs));
}

/**
 * Pure and deterministic: the indexes of what fits into `tokens`, in the order of the candidates. First, for each required leg, its best item that fits;
 * then whatever is worth most per token and still fits. Of equals, the earlier candidate.
 */
export function select(
  candidates: readonly Pick<Candidate, 'leg' | 'required' | 'score' | 'tokens'>[],
  tokens: number,
): number[] {
  const chosen = new Set<number>();
  const served = new Set<string>();
  let left = tokens;
  const take = (index: number): boolean => {
    if (chosen.has(index) || candidates[index].tokens > left) return false;
    chosen.add(index);
    left -= candidates[index].tokens;
    return true;
  };
  for (const [index, { leg, required }] of candidates.entries()) {
    if (required && !served.has(leg) && take(index)) served.add(leg);
  }
  const density = ({ score, tokens: cost }: { score: number; tokens: number }): number => score / Math.max(1, cost);
  const best = [...candidates.keys()].sort((a, b) => density(candidates[b]) - density(candidates[a]) || a - b);
  for (const index of best) take(index);
  return [...chosen].sort((a, b) => a - b);
}
