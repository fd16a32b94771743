import { isTailwaterError, utf8 } from '../../src/base/index.ts';
import type { QueryRequest } from '../../src/retrieval/index.ts';
import type { ReadFrom } from '../../src/snapshot/index.ts';
import { freshnessOf, lookupRow, tokenOf } from '../../src/snapshot/index.ts';
import { checkFreshness } from './check-freshness.ts';
import { checkHits } from './check-search.ts';
import { type Demand, demandOf, isAllowedReadError, segmentOf } from './consistency.ts';
import { filterJson } from './expected-search.ts';
import { ProcessDied } from './life.ts';
import type { Operation, PlannedFrom, PlannedQuery } from './plan.ts';
import type { SimNode } from './sim-node.ts';
import { isSame, type ModelRecord, type StreamModel } from './stream-model.ts';
import { must, Violation } from './violation.ts';
import { codeOf, describe, type World } from './world.ts';

type Of<K extends Operation['kind']> = Extract<Operation, { kind: K }>;
type Read = Of<'search'> | Of<'page'> | Of<'row'>;

const TIMEOUT_MS = 120_000;

/** A client that reads, and knows what the answer must be. */
export async function read(world: World, operation: Read, label: string): Promise<void> {
  const node = world.pick(operation.node);
  if (node === null) return;
  const model = world.truth.streamOf(world.definition(operation.stream).incarnation);
  const demand = demandOf(world, operation.consistency);
  try {
    const answer = run(world, node, model, operation, demand);
    const outcome = await Promise.race([answer, world.clock.sleep(TIMEOUT_MS).then(() => 'timeout')]);
    world.note(`${label} ${outcome}`);
  } catch (error) {
    if (error instanceof Violation) throw error;
    world.note(`${label} ${codeOf(error)}`);
    if (error instanceof ProcessDied || isAllowedReadError(world, error, { model, demand })) return;
    if (world.recreated.has(model.definition.name) && isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) return;
    if (operation.kind === 'search' && isAllowedEmbeddingError(world, model, operation.query, error)) return;
    throw new Violation('a read succeeds or says why not', describe(error));
  }
}

function run(world: World, node: SimNode, model: StreamModel, operation: Read, demand: Demand): Promise<string> {
  switch (operation.kind) {
    case 'search':
      return search(world, node, model, operation, demand);
    case 'page':
      return page(world, node, model, operation, demand);
    case 'row':
      return row(world, node, model, operation, demand);
  }
}

function isAllowedEmbeddingError(world: World, model: StreamModel, query: PlannedQuery, error: unknown): boolean {
  const remote = model.definition.embed?.provider === 'remote';
  return !world.healed && remote && query.mode === 'vector' && isTailwaterError(error, 'TW_EMBEDDING_FAILED');
}

async function search(
  world: World,
  node: SimNode,
  model: StreamModel,
  { query, stream }: Of<'search'>,
  demand: Demand,
): Promise<string> {
  const answer = await node.life.ask(() => node.searcher.search(model.definition, requestOf(query, demand)));
  const segment = segmentOf(world, stream, answer.token, demand);
  checkFreshness(world, model, segment, answer, node.clock.nowMs());
  checkHits(model, segment, query, answer);
  const hits = answer.hits.map(({ record, tier }) => `${record.partition}:${record.offset}${tier === 'tail' ? '' : 't'}`);
  return `${query.mode} at ${segment}: ${hits.join(' ')}${answer.freshness.complete ? '' : ' incomplete'}`;
}

function requestOf(query: PlannedQuery, { consistency }: Demand): QueryRequest {
  const request: QueryRequest = { mode: query.mode, limit: query.limit };
  if (query.mode !== 'filter' && (query.mode !== 'vector' || query.vector === null)) request.text = query.words.join(' ');
  if (query.vector !== null && query.mode !== 'filter' && query.mode !== 'text') request.vector = query.vector;
  if (query.filter !== null) request.filter = filterJson(query.filter);
  if (consistency !== undefined) request.consistency = consistency;
  return request;
}

async function page(world: World, node: SimNode, model: StreamModel, operation: Of<'page'>, demand: Demand): Promise<string> {
  const partition = operation.partition % model.definition.partitions;
  const from = fromOf(world, model, partition, operation.from);
  const { limit } = operation;
  const request = { partition, from, limit, ...(demand.consistency && { consistency: demand.consistency }) };
  try {
    const answer = await node.life.ask(() => node.reader.page(model.definition, request));
    const segment = segmentOf(world, operation.stream, answer.token, demand);
    checkFreshness(world, model, segment, answer, node.clock.nowMs());
    checkPage(model, segment, partition, from, limit, answer);
    return `page at ${segment}: ${answer.next}`;
  } catch (error) {
    if (!isTailwaterError(error, 'TW_OFFSET_OUT_OF_RANGE')) throw error;
    const next = Number(error.data?.next);
    const least = model.headsAt(demand.least)[partition] + 1;
    must(from.kind === 'offset' && from.offset > next && next >= least, 'an offset is refused only beyond the head', () => ({
      from,
      next,
      least,
    }));
    return 'page out of range';
  }
}

export function fromOf(world: World, model: StreamModel, partition: number, planned: PlannedFrom): ReadFrom {
  const { segments, head } = world.truth;
  switch (planned.kind) {
    case 'earliest':
    case 'latest':
      return { kind: planned.kind };
    case 'offset':
      return { kind: 'offset', offset: planned.ref % (model.partitions[partition].length + 2) };
    case 'commit-time':
      return { kind: 'commit-time', timeMs: segments[planned.ref % head].commitTimeMs };
    case 'event-time':
      return { kind: 'event-time', timeMs: segments[planned.ref % head].commitTimeMs - (planned.ref % 50) };
  }
}

/** Where a read of these records starts. */
export function startOf(records: readonly ModelRecord[], from: ReadFrom): number {
  const orEnd = (index: number): number => (index < 0 ? records.length : index);
  switch (from.kind) {
    case 'earliest':
      return 0;
    case 'latest':
      return records.length;
    case 'offset':
      return from.offset;
    case 'commit-time':
      return orEnd(records.findIndex(record => record.ingestedAtMs >= from.timeMs));
    case 'event-time':
      return orEnd(records.findIndex(record => record.timeMs >= from.timeMs));
  }
}

function checkPage(
  model: StreamModel,
  segment: number,
  partition: number,
  from: ReadFrom,
  limit: number,
  answer: Awaited<ReturnType<SimNode['reader']['page']>>,
): void {
  const records = model.partitions[partition].filter(record => record.segment <= segment);
  const first = startOf(records, from);
  const expected = records.slice(first, first + limit);
  const facts = (): object => ({
    from,
    limit,
    segment,
    expected: expected.map(record => record.offset),
    found: answer.records.map(record => record.offset),
  });
  must(answer.records.length === expected.length, 'a page has every record', facts);
  for (const [index, record] of answer.records.entries())
    must(isSame(record, expected[index]), 'a page has the records as written', facts);
  must(answer.next === first + expected.length, 'a page names where the next one starts', facts);
}

async function row(world: World, node: SimNode, model: StreamModel, operation: Of<'row'>, demand: Demand): Promise<string> {
  if (model.definition.kind !== 'upsert') return 'not upsert';
  const deadlineAtMs = node.clock.nowMs() + 10_000;
  const { pinned, found } = await node.life.ask(async () => {
    const pinned = await node.pinner.pin(model.definition, demand.consistency, deadlineAtMs);
    return { pinned, found: await lookupRow(pinned, utf8(operation.key)) };
  });
  const token = tokenOf(pinned);
  const segment = segmentOf(world, operation.stream, token, demand);
  const nowMs = node.clock.nowMs();
  checkFreshness(world, model, segment, { token, freshness: freshnessOf(pinned, nowMs) }, nowMs);
  const expected = model.winnersAt(segment).find(record => record.key === operation.key);
  const facts = (): object => ({
    key: operation.key,
    segment,
    expected: expected?.offset,
    found: found?.record.offset,
    tier: found?.tier,
  });
  must((found === null) === (expected === undefined), 'a key has a row exactly when it lives', facts);
  must(found === null || isSame(found.record, expected!), 'a key’s row is its newest record', facts);
  return `row at ${segment}: ${found === null ? 'none' : found.tier}`;
}
