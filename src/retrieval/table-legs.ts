import { fromUtf8, type JsonValue } from '../base/index.ts';
import { type CandidateDetail, filterToSql, type TableCandidate, type TableRow } from '../lakehouse/index.ts';
import type { Pinned, TableView } from '../snapshot/index.ts';
import { analyze, type Bm25, matches, vectorDistance } from '../streams/index.ts';
import { byScoreThenNewest, type LegRow } from './fuse.ts';
import type { SearchPlan } from './plan.ts';

/** The most rows one leg draws from the table before it says that it could not consider everything. */
const MAX_CANDIDATES = 32_768;
const MIN_TEXT_CANDIDATES = 100;
/** What LanceDB, which rounds otherwise, may take for nearer than the last of a leg. */
const MORE_VECTOR_CANDIDATES = 8;

export interface TableHit extends LegRow {
  /** The row, or what it is fetched by (`loadRows`): few of the candidates of a leg get into the answer. */
  found: { row: TableRow } | { candidate: TableCandidate };
}

export interface TableLeg {
  hits: TableHit[];
  /** False when the limit of candidates ended the leg before it was exhausted. */
  exhaustive: boolean;
}

/** The rows in memory are scored all; else LanceDB proposes by its own scores, and ours decide (R3): those of all tiers are of one computation. */
export async function tableTextLeg(pinned: Pinned, plan: SearchPlan, bm25: Bm25): Promise<TableLeg> {
  if (pinned.resident !== null) {
    const hits = pinned.resident.searchText(plan.terms, bm25, plan.legDepth, row => isWinner(pinned, plan, row));
    return { hits: hits.map(({ row, score }) => wholeHit(row, score)), exhaustive: true };
  }
  const table = pinned.table!;
  const where = sqlOf(table, plan);
  const first = Math.max(MIN_TEXT_CANDIDATES, 8 * plan.limit);
  const fetch = (limit: number) => table.version.searchText(plan.text!, limit, where, detailOf(plan));
  const leg = await fetchUnshadowed(pinned, plan, fetch, first);
  const score = documentScorer(plan.terms, bm25);
  return rank(leg, plan, candidate => score(candidate.text ?? ''));
}

export async function tableVectorLeg(pinned: Pinned, plan: SearchPlan, vector: Float32Array): Promise<TableLeg> {
  if (pinned.resident !== null) {
    const hits = pinned.resident.searchVector(vector, plan.legDepth, row => isWinner(pinned, plan, row));
    return { hits: hits.map(({ row, score }) => wholeHit(row, 1 - score)), exhaustive: true };
  }
  const table = pinned.table!;
  const where = sqlOf(table, plan);
  const fetch = (limit: number) => table.version.searchVector(vector, limit, where, detailOf(plan));
  const leg = await fetchUnshadowed(pinned, plan, fetch, plan.legDepth + MORE_VECTOR_CANDIDATES);
  const distance = vectorDistance(vector);
  return rank(leg, plan, candidate => 1 - distance(candidate.vector!));
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
    const kept = candidates.filter(candidate => isCandidate(pinned, plan, candidate));
    const exhausted = candidates.length < limit;
    if (exhausted || kept.length >= Math.min(first, plan.legDepth)) return { kept, exhaustive: true };
    if (limit >= MAX_CANDIDATES) return { kept, exhaustive: false };
  }
}

export function isWinner(pinned: Pinned, plan: SearchPlan, row: TableRow): boolean {
  return !isShadowed(pinned, row.key) && (plan.filter === null || matches(plan.filter, parsedValue(row)));
}

function isCandidate(pinned: Pinned, plan: SearchPlan, { key, row }: TableCandidate): boolean {
  return row === undefined ? !isShadowed(pinned, key) : isWinner(pinned, plan, row);
}

function isShadowed({ shadowed, tail }: Pinned, key: Uint8Array | null): boolean {
  return shadowed !== null && key !== null && tail.shadows(key);
}

/** A filter is judged by the whole row; ranking alone needs less of it. */
function detailOf(plan: SearchPlan): CandidateDetail {
  return plan.filter === null ? 'ranking' : 'rows';
}

/** The rows of these hits, in order. */
export async function loadRows(pinned: Pinned, hits: readonly TableHit[]): Promise<TableRow[]> {
  const missing = hits.flatMap(({ found }) => ('candidate' in found ? [found.candidate] : []));
  const loaded = missing.length === 0 ? [] : await pinned.table!.version.rowsOf(missing);
  let next = 0;
  return hits.map(({ found }) => ('row' in found ? found.row : loaded[next++]));
}

export function parsedValue(row: TableRow): JsonValue {
  return row.value === null ? null : JSON.parse(fromUtf8(row.value));
}

export function sqlOf(table: TableView, plan: SearchPlan): string | null {
  return plan.filter === null ? null : filterToSql(plan.filter, table.state.schema);
}

function rank(leg: Candidates, plan: SearchPlan, score: (candidate: TableCandidate) => number): TableLeg {
  const hits = leg.kept.map(candidate => tableHit(candidate, score(candidate)));
  return { hits: hits.sort(byScoreThenNewest).slice(0, plan.legDepth), exhaustive: leg.exhaustive };
}

function tableHit(candidate: TableCandidate, score: number): TableHit {
  const { seq, timeMs, row } = candidate;
  return { seq, timeMs, score, found: row === undefined ? { candidate } : { row } };
}

export function wholeHit(row: TableRow, score: number): TableHit {
  return { seq: row.seq, timeMs: row.timeMs, score, found: { row } };
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
