import { type Clock, isTailwaterError, type JsonObject, type JsonValue, TailwaterError, valueAt } from '../base/index.ts';
import {
  DEFAULT_DEADLINE_MS,
  type Freshness,
  freshnessOf,
  type Pinned,
  type Pinner,
  type TailEmbeddings,
  tokenOf,
} from '../snapshot/index.ts';
import { matches, requiredEquality, type StreamDefinition, type StreamRecord } from '../streams/index.ts';
import { corpusScorer } from './corpus.ts';
import { byScoreThenNewest, decayByAge, type FusedRow, fuse, type LegRow, rankOne } from './fuse.ts';
import { newestTableRows } from './newest-leg.ts';
import { planSearch, type SearchPlan } from './plan.ts';
import type { QueryRequest, SearchAnswer, SearchHit } from './query-types.ts';
import { type HitSource, sourcesOf } from './sources.ts';
import { loadRows, parsedValue, type TableHit, type TableLeg, tableTextLeg, tableVectorLeg, wholeHit } from './table-legs.ts';

/** A row of either tier, in a leg. */
type Candidate = ({ tier: 'tail' } & LegRow & { record: () => StreamRecord }) | ({ tier: 'table' } & TableHit);

interface Best {
  rows: FusedRow<Candidate>[];
  records: StreamRecord[];
  sources: (HitSource | null)[];
}

type Skipped = Freshness['skipped'];

export interface SearcherOptions {
  pinner: Pinner;
  embeddings: TailEmbeddings;
  clock: Clock;
  /** Told of every stream that is searched: its rows are worth having in memory. */
  onSearch?: (definition: StreamDefinition) => void;
}

/** The search path: plan, pin one instant, run the legs over tail and table, merge, fuse, answer with freshness. */
export class Searcher {
  readonly #options: SearcherOptions;

  constructor(options: SearcherOptions) {
    this.#options = options;
  }

  /** Throws TW_BAD_REQUEST and its kin for what the request says, TW_DEADLINE, and what pinning throws. */
  async search(definition: StreamDefinition, request: QueryRequest, signal?: AbortSignal): Promise<SearchAnswer> {
    const { clock, pinner } = this.#options;
    const plan = planSearch(definition, request);
    const deadlineAtMs = clock.nowMs() + deadlineOf(request);
    const skipped: Skipped = [];
    const vector = await this.#queryVector(definition, plan, skipped, signal);
    const pinned = await pinner.pin(definition, request.consistency, deadlineAtMs);
    this.#options.onSearch?.(definition);
    // A search in memory never waits: without this, a caller that searches in a loop would keep I/O and timers from ever running.
    await clock.turn();
    const best = this.#best(pinned, plan, vector, skipped);
    const { rows, records, sources } = await withinDeadline(clock, deadlineAtMs, best);
    const nowMs = clock.nowMs();
    return {
      hits: rows.map((fused, index) => toHit(fused, records[index], sources[index], plan, nowMs)),
      freshness: freshnessOf(pinned, nowMs, skipped),
      token: tokenOf(pinned),
    };
  }

  /**
   * A search at an instant that is pinned already: nothing in the answer depends on when it is given, but for embeddings that came
   * since. Throws what the vector of the query throws.
   */
  async searchAt(pinned: Pinned, plan: SearchPlan, nowMs: number): Promise<{ hits: SearchHit[]; skipped: Skipped }> {
    const skipped: Skipped = [];
    const vector = await this.#queryVector(pinned.definition, plan, skipped);
    this.#options.onSearch?.(pinned.definition);
    await this.#options.clock.turn();
    const { rows, records, sources } = await this.#best(pinned, plan, vector, skipped, nowMs);
    return { hits: rows.map((fused, index) => toHit(fused, records[index], sources[index], plan, nowMs)), skipped };
  }

  /** A provider that is down does not hide what text finds: hybrid goes on without the vector leg and says so (R5). */
  async #queryVector(
    definition: StreamDefinition,
    plan: SearchPlan,
    skipped: Skipped,
    signal?: AbortSignal,
  ): Promise<Float32Array | null> {
    if (plan.embedText === null) return plan.vector;
    try {
      return await this.#options.embeddings.embedQuery(definition, plan.embedText, signal);
    } catch (error) {
      if (plan.mode !== 'hybrid' || !isTailwaterError(error, 'TW_EMBEDDING_FAILED')) throw error;
      skipped.push({ leg: 'vector', reason: `The query could not be embedded: ${error.message}` });
      return null;
    }
  }

  /** The rows of the answer, their records, and where these come from. */
  async #best(
    pinned: Pinned,
    plan: SearchPlan,
    vector: Float32Array | null,
    skipped: Skipped,
    nowMs = this.#options.clock.nowMs(),
  ): Promise<Best> {
    const ranked = await this.#rank(pinned, plan, vector, skipped);
    const decayed = plan.recency === null ? ranked : decayByAge(ranked, plan.recency, nowMs);
    const rows = decayed.slice(0, plan.limit);
    const records = await recordsOf(pinned, rows);
    return { rows, records, sources: await sourcesOf(pinned, records) };
  }

  async #rank(pinned: Pinned, plan: SearchPlan, vector: Float32Array | null, skipped: Skipped): Promise<FusedRow<Candidate>[]> {
    if (plan.mode === 'filter') return this.#newest(pinned, plan);
    const [text, near] = await Promise.all([
      plan.mode === 'vector' ? null : this.#textLeg(pinned, plan, skipped),
      vector === null ? null : this.#vectorLeg(pinned, plan, vector, skipped),
    ]);
    if (text !== null && near !== null) return fuse(text, near, plan.weights);
    if (plan.mode === 'hybrid') return fuse(text ?? [], near ?? [], plan.weights);
    return text !== null ? rankOne('text', text) : rankOne('vector', near ?? []);
  }

  async #textLeg(pinned: Pinned, plan: SearchPlan, skipped: Skipped): Promise<Candidate[]> {
    if (plan.terms.length === 0) return [];
    const bm25 = await corpusScorer(pinned, plan.terms);
    const fromTable = pinned.table === null ? null : tableTextLeg(pinned, plan, bm25);
    const hits = pinned.tail.searchText(plan.terms, bm25, plan.legDepth, accepter(pinned, plan));
    const fresh = hits.map(hit => fromTail(pinned, hit.ordinal, hit.score));
    return merge('text', fresh, await fromTable, plan, skipped);
  }

  async #vectorLeg(pinned: Pinned, plan: SearchPlan, vector: Float32Array, skipped: Skipped): Promise<Candidate[]> {
    const fromTable = pinned.table === null ? null : tableVectorLeg(pinned, plan, vector);
    await this.#options.embeddings.caughtUp(pinned.definition);
    const hits = pinned.tail.searchVector(vector, plan.legDepth, accepter(pinned, plan));
    const fresh = hits.map(hit => fromTail(pinned, hit.ordinal, 1 - hit.score));
    reportMissing(pinned, skipped);
    return merge('vector', fresh, await fromTable, plan, skipped);
  }

  async #newest(pinned: Pinned, plan: SearchPlan): Promise<FusedRow<Candidate>[]> {
    const equal = plan.filter === null ? null : requiredEquality(plan.filter);
    const fresh = pinned.tail.newest(plan.limit, accepter(pinned, plan), equal).map(ordinal => fromTail(pinned, ordinal, 1));
    const missing = plan.limit - fresh.length;
    const rows = pinned.table === null || missing === 0 ? [] : await newestTableRows(pinned, plan, missing, this.#options.clock);
    const older = rows.map<Candidate>(row => ({ ...wholeHit(row, 1), tier: 'table' }));
    return [...fresh, ...older].map(row => ({ row, score: row.score, ranks: {} }));
  }
}

function merge(leg: string, fresh: Candidate[], table: TableLeg | null, plan: SearchPlan, skipped: Skipped): Candidate[] {
  if (table === null) return fresh;
  if (!table.exhaustive) {
    skipped.push({ leg, reason: 'Too many rows of the table were hidden or filtered out; make the filter more selective.' });
  }
  const stored = table.hits.map<Candidate>(hit => ({ ...hit, tier: 'table' }));
  return [...fresh, ...stored].sort(byScoreThenNewest).slice(0, plan.legDepth);
}

function accepter(pinned: Pinned, plan: SearchPlan): ((ordinal: number) => boolean) | undefined {
  const { filter } = plan;
  return filter === null ? undefined : ordinal => matches(filter, pinned.tail.value(ordinal));
}

function fromTail(pinned: Pinned, ordinal: number, score: number): Candidate {
  const record = pinned.tail.record(ordinal);
  return { seq: record.seq, timeMs: record.timeMs, score, tier: 'tail', record: () => record };
}

function reportMissing(pinned: Pinned, skipped: Skipped): void {
  const fresh = pinned.tail.missingVectors();
  const stored = pinned.table?.state.nullVectors ?? 0;
  if (fresh + stored > 0) {
    skipped.push({ leg: 'vector', reason: `${fresh + stored} rows have no embedding yet; text search finds them.` });
  }
}

async function recordsOf(pinned: Pinned, rows: readonly FusedRow<Candidate>[]): Promise<StreamRecord[]> {
  const hits = rows.flatMap(({ row }) => (row.tier === 'table' ? [row] : []));
  const loaded = await loadRows(pinned, hits);
  let next = 0;
  return rows.map(({ row }) => (row.tier === 'tail' ? row.record() : loaded[next++]));
}

function toHit(
  fused: FusedRow<Candidate>,
  record: StreamRecord,
  source: HitSource | null,
  plan: SearchPlan,
  nowMs: number,
): SearchHit {
  const hit: SearchHit = {
    record,
    score: fused.score,
    tier: fused.row.tier,
    ageMs: Math.max(0, nowMs - record.ingestedAtMs),
    ranks: fused.ranks,
  };
  if (source !== null) hit.source = source;
  if (plan.select !== null) hit.selected = selectPaths(parsedValue(record), plan.select);
  return hit;
}

/** The selected paths that exist, flat: `{"a.b": 1}`. */
function selectPaths(value: JsonValue, paths: readonly string[]): JsonObject {
  const selected: JsonObject = {};
  for (const path of paths) {
    const found = valueAt(value, path);
    if (found !== undefined) Object.defineProperty(selected, path, { value: found, enumerable: true });
  }
  return selected;
}

function deadlineOf(request: QueryRequest): number {
  const { deadlineMs } = request;
  if (deadlineMs === undefined) return DEFAULT_DEADLINE_MS;
  if (typeof deadlineMs === 'number' && deadlineMs > 0 && deadlineMs <= 600_000) return deadlineMs;
  throw new TailwaterError('TW_BAD_REQUEST', { detail: '`deadlineMs` must be a number from 1 to 600,000.' });
}

function withinDeadline<T>(clock: Clock, deadlineAtMs: number, work: Promise<T>): Promise<T> {
  const leftMs = deadlineAtMs - clock.nowMs();
  return new Promise((resolve, reject) => {
    const timer = clock.after(Math.max(0, leftMs), () =>
      reject(new TailwaterError('TW_DEADLINE', { detail: 'The search did not finish in time.' })),
    );
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
