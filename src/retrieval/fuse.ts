/** The constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009). */
const RRF_K = 60;

/** A row that at least one leg found. `seq` identifies it: a record is in exactly one of tail and table. */
export interface LegRow {
  seq: number;
  /** Event time, milliseconds: for recency. */
  timeMs: number;
  /** Higher is better, within the leg. */
  score: number;
}

export interface FusedRow<T extends LegRow> {
  row: T;
  score: number;
  ranks: { text?: number; vector?: number };
}

/** Best first; equal scores: newer first, so that the order does not depend on where a row lives. */
export function byScoreThenNewest(a: { score: number; seq: number }, b: { score: number; seq: number }): number {
  return b.score - a.score || b.seq - a.seq;
}

/** One leg only: its own scores. */
export function rankOne<T extends LegRow>(leg: 'text' | 'vector', rows: readonly T[]): FusedRow<T>[] {
  return rows.map((row, index) => ({ row, score: row.score, ranks: { [leg]: index + 1 } }));
}

/** Reciprocal rank fusion of two legs, each best first. */
export function fuse<T extends LegRow>(
  text: readonly T[],
  vector: readonly T[],
  weights: { text: number; vector: number },
): FusedRow<T>[] {
  const fused = new Map<number, FusedRow<T>>();
  const add = (leg: 'text' | 'vector', rows: readonly T[]) => {
    for (const [index, row] of rows.entries()) {
      const share = weights[leg] / (RRF_K + index + 1);
      const known = fused.get(row.seq);
      if (known) {
        known.score += share;
        known.ranks[leg] = index + 1;
      } else fused.set(row.seq, { row, score: share, ranks: { [leg]: index + 1 } });
    }
  };
  add('text', text);
  add('vector', vector);
  return [...fused.values()].sort(byFusedScore);
}

/** Multiplies scores by (1 - weight) + weight * 0.5^(age / halfLife) and ranks again. */
export function decayByAge<T extends LegRow>(
  rows: FusedRow<T>[],
  recency: { halfLifeMs: number; weight: number },
  nowMs: number,
): FusedRow<T>[] {
  for (const fused of rows) {
    const ageMs = Math.max(0, nowMs - fused.row.timeMs);
    fused.score *= 1 - recency.weight + recency.weight * 0.5 ** (ageMs / recency.halfLifeMs);
  }
  return rows.sort(byFusedScore);
}

function byFusedScore(a: FusedRow<LegRow>, b: FusedRow<LegRow>): number {
  return b.score - a.score || b.row.seq - a.row.seq;
}
