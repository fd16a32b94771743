import { seededRandom } from '../../src/base/index.ts';
import type { StreamSettings } from '../../src/streams/index.ts';
import { Dice } from './dice.ts';
import type {
  FaultRates,
  Operation,
  Plan,
  PlannedConsistency,
  PlannedFilter,
  PlannedFrom,
  PlannedQuery,
  PlannedRecord,
} from './plan.ts';

/** Words that are their own terms: the oracle needs no analyzer. */
export const WORDS = ['tide', 'storm', 'anchor', 'mast', 'reef', 'kelp', 'gull', 'fog'];
export const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'ключ'];
const TAGS = ['red', 'green', 'blue'];
export const DIMENSIONS = 8;
/** The provider that only the simulation has: it costs time, and fails. */
export const REMOTE = 'remote';

const SEARCH = { fields: ['text'] };
const HASH = { fields: ['text'], provider: 'hash', dimensions: DIMENSIONS };
const PAID = { fields: ['text'], provider: REMOTE, model: 'sim', dimensions: DIMENSIONS };
const STREAMS: { name: string; settings: StreamSettings }[] = [
  { name: 'notes', settings: { kind: 'upsert', search: SEARCH, embed: HASH, partitions: 2 } },
  { name: 'events', settings: { kind: 'append', search: SEARCH, partitions: 2, history: 'PT1S' } },
  { name: 'facts', settings: { kind: 'upsert', key: 'id', search: SEARCH, embed: PAID, history: 'PT20S' } },
  { name: 'feed', settings: { kind: 'append', embed: HASH } },
  { name: 'states', settings: { kind: 'upsert', history: 'PT1S' } },
];

interface Swarm {
  dice: Dice;
  nodes: number;
  streams: Plan['streams'];
  weights: [Operation['kind'], number][];
  pace: number;
}

/** Everything that one seed will do, decided up front. */
export function drawPlan(seed: number, operations: number): Plan {
  const dice = new Dice(seededRandom(seed * 2 + 1));
  const journal = dice.happens(0.25) ? 'file' : 'object';
  const nodes = journal === 'file' ? 1 : dice.between(1, 3);
  const streams = dice.subset(STREAMS, dice.between(1, 3));
  const retries = dice.happens(0.5);
  const rates = drawRates(dice, journal, retries);
  const swarm: Swarm = { dice, nodes, streams, weights: drawWeights(dice), pace: dice.pick([5, 40, 200]) };
  return {
    seed,
    journal,
    nodes,
    retries,
    lingerMs: dice.pick([0, 0, 20]),
    checkpointEverySegments: dice.pick([2, 5, 20]),
    streams,
    rates,
    operations: Array.from({ length: operations }, (_, index) => drawOperation(swarm, index)),
  };
}

function drawRates(dice: Dice, journal: Plan['journal'], retries: boolean): FaultRates {
  const calm = dice.happens(0.15);
  const rate = (most: number): number => (calm || dice.happens(0.5) ? 0 : dice.float() * most);
  return {
    lostRequest: rate(0.1),
    lostReply: rate(0.15),
    late: rate(0.08),
    repeated: rate(0.1),
    error: rate(retries ? 0.08 : 0.015),
    delayed: dice.pick([0.05, 0.2, 0.5]),
    maxDelayMs: dice.pick([5, 50, 500]),
    lateMs: dice.pick([200, 5_000, 300_000]),
    disk: journal === 'file' ? rate(0.03) : 0,
    provider: rate(0.6),
  };
}

function drawWeights(dice: Dice): Swarm['weights'] {
  const rare = (weight: number): number => (dice.happens(0.5) ? 0 : dice.float() * weight);
  return [
    ['append', 10],
    ['search', 6],
    ['page', 2],
    ['row', 2],
    ['compact', 1 + rare(4)],
    ['maintain', rare(2)],
    ['advance', rare(2)],
    ['checkpoint', rare(1)],
    ['collect', rare(2)],
    ['crash', rare(1)],
    ['restart', rare(0.5)],
    ['pause', rare(0.7)],
    ['jump', rare(0.5)],
    ['provider', rare(1)],
    ['follow', rare(0.6)],
    ['stall', rare(1)],
    ['move', rare(0.6)],
    ['recreate', rare(0.3)],
  ];
}

function drawOperation(swarm: Swarm, index: number): Operation {
  const { dice } = swarm;
  const afterMs = dice.happens(0.3) ? 0 : dice.happens(0.01) ? dice.between(1, 400_000) : dice.below(swarm.pace);
  return { afterMs, ...drawContent(swarm, index) };
}

type Content<O = Operation> = O extends Operation ? Omit<O, 'afterMs'> : never;

function drawContent({ dice, nodes, streams, weights }: Swarm, index: number): Content {
  const kind = dice.weighted(weights);
  const node = dice.below(nodes);
  const stream = dice.below(streams.length);
  switch (kind) {
    case 'append':
      return drawAppend(dice, node, stream, streams[stream].settings, index);
    case 'search':
      return { kind, node, stream, query: drawQuery(dice, streams[stream].settings), consistency: drawConsistency(dice) };
    case 'page':
      return {
        kind,
        node,
        stream,
        partition: dice.below(2),
        from: drawFrom(dice),
        limit: dice.between(1, 40),
        consistency: drawConsistency(dice),
      };
    case 'row':
      return { kind, node, stream, key: dice.pick(KEYS), consistency: drawConsistency(dice) };
    case 'compact':
      return { kind, node, stream, times: dice.happens(0.3) ? 2 : 1, maintain: dice.happens(0.3) };
    case 'maintain':
      return { kind, node, stream, full: dice.happens(0.5) };
    case 'advance':
      return { kind, node, stream };
    case 'collect':
      return { kind, node, thorough: dice.happens(0.3) };
    case 'checkpoint':
    case 'restart':
      return { kind, node };
    case 'crash':
      return {
        kind,
        node,
        afterCalls: dice.below(30),
        lands: dice.happens(0.5),
        machine: dice.happens(0.7),
        downMs: dice.pick([0, 100, 5_000, 900_000]),
      };
    case 'pause':
      return { kind, node, ms: dice.pick([50, 2_000, 60_000, 900_000]) };
    case 'jump':
      return { kind, node, ms: Math.floor((dice.float() - 0.5) * dice.pick([1_000, 100_000, 7_200_000])) };
    case 'provider':
      return { kind, down: dice.happens(0.5) };
    case 'follow':
      return { kind, follower: dice.below(3), node, stream, from: drawFrom(dice), partition: dice.happens(0.7) ? null : 0 };
    case 'stall':
      return { kind, follower: dice.below(3), stalled: dice.happens(0.5) };
    case 'move':
      return { kind, follower: dice.below(3), node };
    case 'recreate':
      return { kind, node, stream };
  }
}

function drawAppend(dice: Dice, node: number, stream: number, settings: StreamSettings, index: number): Content {
  const upsert = settings.kind === 'upsert';
  const records = Array.from({ length: dice.pick([1, 1, 1, 2, 3, 5]) }, () =>
    drawRecord(dice, upsert, settings.key !== undefined),
  );
  return {
    kind: 'append',
    node,
    stream,
    id: `o${index}`,
    records,
    idempotent: dice.happens(0.5),
    bad: upsert && dice.happens(0.03) ? 1 : 0,
    reuse: dice.happens(0.04) ? dice.between(1, 10) : null,
  };
}

function drawRecord(dice: Dice, upsert: boolean, declaredKey: boolean): PlannedRecord {
  const key = upsert || dice.happens(0.3) ? dice.pick(KEYS) : null;
  if (upsert && dice.happens(0.2)) return { key, value: null };
  const value: Record<string, string | number> = {};
  if (declaredKey) value.id = key!;
  if (dice.happens(0.85)) value.text = Array.from({ length: dice.between(1, 5) }, () => dice.pick(WORDS)).join(' ');
  if (dice.happens(0.7))
    value.price = dice.happens(0.8) ? dice.between(-5, 20) : dice.happens(0.5) ? dice.between(0, 10) + 0.5 : 'none';
  if (dice.happens(0.5)) value.tag = dice.pick(TAGS);
  return { key: declaredKey ? null : key, value };
}

function drawQuery(dice: Dice, settings: StreamSettings): PlannedQuery {
  const modes: PlannedQuery['mode'][] = ['filter'];
  if (settings.search) modes.push('text', 'text');
  if (settings.embed) modes.push('vector');
  if (settings.search && settings.embed) modes.push('hybrid');
  const vector = dice.happens(0.5) ? Array.from({ length: DIMENSIONS }, () => Math.round(dice.float() * 20 - 10) + 0.5) : null;
  const words = Array.from({ length: dice.between(1, 3) }, () => dice.pick(WORDS));
  const limit = dice.pick([1, 3, 10, 50]);
  return { mode: dice.pick(modes), words, vector, filter: dice.happens(0.35) ? drawFilter(dice) : null, limit };
}

function drawFilter(dice: Dice): PlannedFilter {
  switch (dice.below(5)) {
    case 0:
      return { kind: 'gt', value: dice.between(-5, 15) };
    case 1:
      return { kind: 'lte', value: dice.between(-5, 15) };
    case 2:
      return { kind: 'eq', value: dice.pick([3, 7, 'none']) };
    case 3:
      return { kind: 'in', values: dice.subset(TAGS, 2) };
    default:
      return { kind: 'exists', value: dice.happens(0.5) };
  }
}

function drawConsistency(dice: Dice): PlannedConsistency {
  const ref = dice.below(1_000_000);
  switch (dice.below(10)) {
    case 0:
    case 1:
      return { kind: 'default' };
    case 2:
      return { kind: 'strong' };
    case 3:
    case 4:
      return { kind: 'maxStaleness', ms: dice.pick([0, 100, 1_000, 60_000]) };
    case 5:
    case 6:
      return { kind: 'atLeast', ref };
    case 7:
    case 8:
      return { kind: 'asOfToken', ref };
    default:
      return { kind: 'asOfTime', ref, plusMs: dice.between(-1, 1) };
  }
}

function drawFrom(dice: Dice): PlannedFrom {
  const ref = dice.below(1_000_000);
  switch (dice.below(6)) {
    case 0:
    case 1:
      return { kind: 'earliest' };
    case 2:
      return { kind: 'latest' };
    case 3:
      return { kind: 'offset', ref };
    case 4:
      return { kind: 'commit-time', ref };
    default:
      return { kind: 'event-time', ref };
  }
}
