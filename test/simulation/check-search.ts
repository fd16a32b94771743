import type { SearchAnswer, SearchHit } from '../../src/retrieval/index.ts';
import type { EmbedSettings } from '../../src/streams/index.ts';
import { expectedNear, expectedNewest, expectedText, type Scored } from './expected-search.ts';
import type { PlannedQuery } from './plan.ts';
import { isSame, type ModelRecord, place, type StreamModel } from './stream-model.ts';
import { must } from './violation.ts';

/** Text scores are computed alike; vectors are compared as float32 in the tail. */
const EXACT = 1e-9;
const NEAR = 2e-5;
const RRF_K = 60;
const MIN_LEG_DEPTH = 40;

/** The hits are the model's at that segment: no row more, none less, none hidden or old, in an order its scores allow. */
export function checkHits(model: StreamModel, segment: number, query: PlannedQuery, answer: SearchAnswer): void {
  const rows = model.winnersAt(segment);
  const byPlace = new Map(rows.map(row => [place(row), row]));
  const facts = (): object => ({ query, segment, hits: answer.hits.map(shown), skipped: answer.freshness.skipped });
  for (const { record } of answer.hits) {
    const row = byPlace.get(place(record));
    must(row !== undefined, 'a hit is a living row', () => ({ ...facts(), hit: place(record) }));
    must(isSame(record, row), 'a hit is the record that was written', () => ({ ...facts(), row }));
  }
  const places = new Set(answer.hits.map(hit => place(hit.record)));
  must(places.size === answer.hits.length, 'no row is found twice', facts);
  const { embed } = model.definition;
  const { complete } = answer.freshness;
  if (query.mode === 'filter') checkExact(answer.hits, expectedNewest(rows, query), query.limit, facts);
  else if (query.mode === 'text') checkExact(answer.hits, expectedText(rows, query), query.limit, facts);
  else if (query.mode === 'vector') checkNear(answer.hits, expectedNear(rows, query, embed!), query.limit, complete, facts);
  else checkFused(answer.hits, rows, query, embed!, complete, facts);
  must(complete || embed?.provider === 'remote', 'what needs no provider is complete', facts);
}

function shown(hit: SearchHit): string {
  return `${place(hit.record)} ${hit.tier} ${hit.score.toFixed(6)} ${JSON.stringify(hit.ranks)}`;
}

function checkExact(hits: readonly SearchHit[], expected: readonly Scored[], limit: number, facts: () => object): void {
  const all = (): object => ({
    ...facts(),
    expected: expected.map(({ record, score }) => `${place(record)} ${score.toFixed(6)}`),
  });
  must(hits.length === Math.min(limit, expected.length), 'every match is found', all);
  for (const [index, hit] of hits.entries()) {
    const own = expected.find(({ record }) => place(record) === place(hit.record));
    must(own !== undefined, 'a hit matches', all);
    must(Math.abs(own.score - hit.score) <= EXACT, 'a score is the score of its row', all);
    const gap = Math.abs(own.score - expected[index].score);
    must(own === expected[index] || (gap > 0 && gap <= EXACT), 'hits come best first, then newest first', all);
  }
}

function checkNear(
  hits: readonly SearchHit[],
  expected: readonly Scored[],
  limit: number,
  complete: boolean,
  facts: () => object,
): void {
  const all = (): object => ({
    ...facts(),
    expected: expected.map(({ record, score }) => `${place(record)} ${score.toFixed(6)}`),
  });
  const scores = new Map(expected.map(({ record, score }) => [place(record), score]));
  let before = Number.POSITIVE_INFINITY;
  for (const hit of hits) {
    const score = scores.get(place(hit.record));
    must(score !== undefined, 'a hit matches', all);
    must(Math.abs(score - hit.score) <= NEAR, 'a score is the score of its row', all);
    must(hit.score <= before, 'hits come best first, then newest first', all);
    before = hit.score;
  }
  if (!complete) return;
  must(hits.length === Math.min(limit, expected.length), 'a complete answer has every match', all);
  const found = new Set(hits.map(hit => place(hit.record)));
  const missed = expected.find(({ record, score }) => !found.has(place(record)) && score > before + NEAR);
  must(missed === undefined || hits.length === 0, 'a complete answer has the best matches', all);
}

/** Ranks of the vector leg are known up to its rounding, and exactly nothing of them when vectors are missing. */
function checkFused(
  hits: readonly SearchHit[],
  rows: readonly ModelRecord[],
  query: PlannedQuery,
  embed: EmbedSettings,
  complete: boolean,
  facts: () => object,
): void {
  const depth = Math.max(MIN_LEG_DEPTH, 2 * query.limit);
  const text = expectedText(rows, query).slice(0, depth);
  const textRanks = new Map(text.map(({ record }, index) => [place(record), index + 1]));
  const near = expectedNear(rows, query, embed);
  const all = (): object => ({
    ...facts(),
    text: [...textRanks],
    near: near.map(({ record, score }) => `${place(record)} ${score}`),
  });
  let before = Number.POSITIVE_INFINITY;
  for (const hit of hits) {
    const { text: textRank, vector: vectorRank } = hit.ranks;
    must(textRank === textRanks.get(place(hit.record)), 'the text leg ranks as text search does', all);
    if (complete) checkVectorRank(hit, near, depth, all);
    const score = (textRank ? 1 / (RRF_K + textRank) : 0) + (vectorRank ? 1 / (RRF_K + vectorRank) : 0);
    must(Math.abs(score - hit.score) <= EXACT && score > 0, 'a fused score follows from its ranks', all);
    must(hit.score <= before + EXACT, 'hits come best first, then newest first', all);
    before = hit.score;
  }
  const found = new Set(hits.map(hit => place(hit.record)));
  const union = new Set([...textRanks.keys(), ...(complete ? near.slice(0, depth).map(({ record }) => place(record)) : [])]);
  must(hits.length >= Math.min(query.limit, union.size), 'every match is found', all);
  const missed = [...textRanks].find(([at, rank]) => !found.has(at) && 1 / (RRF_K + rank) > before + EXACT);
  must(missed === undefined, 'an answer has the best matches', all);
}

function checkVectorRank(hit: SearchHit, near: readonly Scored[], depth: number, facts: () => object): void {
  const own = near.find(({ record }) => place(record) === place(hit.record));
  const rank = hit.ranks.vector;
  if (own === undefined) {
    must(rank === undefined, 'a row without a text has no vector rank', facts);
    return;
  }
  const surelyBetter = near.filter(({ score }) => score > own.score + NEAR).length;
  const perhapsBetter = near.filter(({ score }) => score >= own.score - NEAR).length;
  if (rank === undefined) must(perhapsBetter > depth, 'the vector leg ranks by distance', facts);
  else must(rank > surelyBetter && rank <= perhapsBetter, 'the vector leg ranks by distance', facts);
}
