import { fromUtf8, type JsonValue } from '../base/index.ts';
import { filterToSql, type TableCandidate, type TableRow } from '../lakehouse/index.ts';
import type { Pinned, TableView } from '../snapshot/index.ts';
import { analyze, type Bm25, matches } from '../streams/index.ts';
import { byScoreThenNewest, type LegRow } from './fuse.ts';
import type { SearchPlan } from './plan.ts';

/** The most rows one leg draws from the table before it says that it could not consider everything. */
const MAX_CANDIDATES = 32_768;
const MIN_TEXT_CANDIDATES = 100;

export interface TableHit extends LegRow {
  row: TableRow;
}

export interface TableLeg {
  hits: TableHit[];
  /** False when the limit of candidates ended the leg before it was exhausted. */
  exhaustive: boolean;
}

/** The rows in memory are scored all; else LanceDB proposes by its own scores, and ours decide (R3). */
export async function tableTextLeg(pinned: Pinned, plan: SearchPlan, bm25: Bm25): Promise<TableLeg> {
  if (pinned.resident !== null) {
    const hits = pinned.resident.searchText(plan.terms, bm25, plan.legDepth, row => isWinner(pinned, plan, row));
    return { hits: hits.map(({ row, score }) => tableHit(row, score)), exhaustive: true };
  }
  const table = pinned.table!;
  const where = sqlOf(table, plan);
  const first = Math.max(MIN_TEXT_CANDIDATES, 8 * plan.limit);
  const fetch = (limit: number) => table.version.searchText(plan.text!, limit, where);
  const leg = await fetchUnshadowed(pinned, plan, fetch, first);
  const score = documentScorer(plan.terms, bm25);
  return rank(leg, plan, row => score(row.text ?? ''));
}

export async function tableVectorLeg(pinned: Pinned, plan: SearchPlan, vector: Float32Array): Promise<TableLeg> {
  if (pinned.resident !== null) {
    const hits = pinned.resident.searchVector(vector, plan.legDepth, row => isWinner(pinned, plan, row));
    return { hits: hits.map(({ row, score }) => tableHit(row, 1 - score)), exhaustive: true };
  }
  const table = pinned.table!;
  const where = sqlOf(table, plan);
  const fetch = (limit: number) => table.version.searchVector(vector, limit, where);
  const leg = await fetchUnshadowed(pinned, plan, fetch, plan.legDepth);
  return rank(leg, plan, row => 1 - row.distance!);
}

interface Candidates {
  kept: TableCandidate[];
  exhaustive: boolean;
}

/** Over-fetches and repeats until enough rows remain that no newer version hides and the filter accepts, or there are no more (R4). */
async function fetchUnshadowed(
  pinned: Pinned,
  plan: SearchPlan,
  fetch: (limit: number) => Promise<TableCandidate[]>,
  first: number,
): Promise<Candidates> {
  for (let limit = first; ; limit *= 4) {
    const candidates = await fetch(limit);
    const kept = candidates.filter(row => isWinner(pinned, plan, row));
    const exhausted = candidates.length < limit;
    if (exhausted || kept.length >= Math.min(first, plan.legDepth)) return { kept, exhaustive: true };
    if (limit >= MAX_CANDIDATES) return { kept, exhaustive: false };
  }
}

export function isWinner(pinned: Pinned, plan: SearchPlan, row: TableRow): boolean {
  if (pinned.shadowed !== null && row.key !== null && pinned.tail.shadows(row.key)) return false;
  return plan.filter === null || matches(plan.filter, parsedValue(row));
}

export function parsedValue(row: TableRow): JsonValue {
  return row.value === null ? null : JSON.parse(fromUtf8(row.value));
}

export function sqlOf(table: TableView, plan: SearchPlan): string | null {
  return plan.filter === null ? null : filterToSql(plan.filter, table.state.schema);
}

function rank(leg: Candidates, plan: SearchPlan, score: (row: TableCandidate) => number): TableLeg {
  const hits = leg.kept.map(row => tableHit(row, score(row)));
  return { hits: hits.sort(byScoreThenNewest).slice(0, plan.legDepth), exhaustive: leg.exhaustive };
}

function tableHit(row: TableRow, score: number): TableHit {
  return { seq: row.seq, timeMs: row.timeMs, score, row };
}

function documentScorer(terms: readonly string[], bm25: Bm25): (text: string) => number {
  const positions = new Map<string, number[]>();
  for (const [index, term] of terms.entries()) positions.set(term, [...(positions.get(term) ?? []), index]);
  const frequencies = new Uint32Array(terms.length);
  return text => {
    frequencies.fill(0);
    const tokens = analyze(text);
    for (const token of tokens) for (const index of positions.get(token) ?? []) frequencies[index]++;
    return bm25.score(frequencies, tokens.length);
  };
}
