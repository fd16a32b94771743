import { isTailwaterError } from '../../src/base/index.ts';
import type { Consistency } from '../../src/snapshot/index.ts';
import { decodeToken } from '../../src/streams/index.ts';
import type { PlannedConsistency } from './plan.ts';
import type { StreamModel } from './stream-model.ts';
import { must } from './violation.ts';
import type { World } from './world.ts';

/** A demand as it is sent, and what the answer owes it. */
export interface Demand {
  consistency: Consistency | undefined;
  /** The answer includes this segment. */
  least: number;
  /** The answer is of exactly this segment. */
  exact: number | null;
  /** The instant was named by its time: that can be found only where the log is kept. */
  byTime?: boolean;
}

/** Decides what the planned demand is now that the request goes out. */
export function demandOf(world: World, planned: PlannedConsistency): Demand {
  const { truth, tokens } = world;
  const strong: Demand = { consistency: { strong: true }, least: truth.head, exact: null };
  switch (planned.kind) {
    case 'default':
      return { ...strong, consistency: undefined };
    case 'strong':
      return strong;
    case 'maxStaleness': {
      const least = truth.headAt(world.clock.nowMs() - planned.ms - 1);
      return { consistency: { maxStalenessMs: planned.ms }, least, exact: null };
    }
    case 'atLeast': {
      if (tokens.length === 0) return strong;
      const { token, segment } = tokens[planned.ref % tokens.length];
      return { consistency: { atLeast: token }, least: segment, exact: null };
    }
    case 'asOfToken': {
      if (tokens.length === 0) return strong;
      const { token, segment } = tokens[planned.ref % tokens.length];
      return { consistency: { asOf: token }, least: segment, exact: segment };
    }
    case 'asOfTime':
      return asOfTime(world, planned, strong);
  }
}

function asOfTime(world: World, planned: { ref: number; plusMs: number }, otherwise: Demand): Demand {
  const { segments, head } = world.truth;
  // The newest segment's time is not asked for: one may come that was committed at the very same moment after it.
  if (head < 2) return otherwise;
  const timeMs = segments[planned.ref % (head - 1)].commitTimeMs + planned.plusMs;
  const segment = segments.findLastIndex(candidate => candidate.commitTimeMs <= timeMs) + 1;
  return { consistency: { asOf: new Date(timeMs).toISOString() }, least: segment, exact: segment, byTime: true };
}

/** The segment an answer is of, from its token; checked against what was demanded, and remembered for later demands. */
export function segmentOf(world: World, stream: number, token: string, demand: Demand): number {
  const position = decodeToken(token);
  const [{ seq }] = position.shards;
  const [{ incarnation }] = position.streams;
  must(seq <= world.truth.head, 'an answer is of something that was committed', () => ({ seq, head: world.truth.head }));
  const { least, exact, consistency } = demand;
  const facts = (): object => ({ seq, least, exact, consistency });
  must(seq >= least, 'an answer is as fresh as demanded', facts);
  must(exact === null || seq === exact, 'asOf answers are of exactly that instant', facts);
  world.tokens.push({ stream, incarnation, token, segment: seq });
  return seq;
}

/** Errors that a read may meet through no fault of the code. */
export function isAllowedReadError(world: World, error: unknown, asked: { model: StreamModel; demand: Demand } | null): boolean {
  if (isTailwaterError(error, 'TW_HISTORY_EXPIRED')) return asked !== null && mayBeGone(world, asked.model, asked.demand);
  if (isTailwaterError(error, 'TW_NOT_YET_VISIBLE')) {
    const { wanted, reached } = error.data ?? {};
    return typeof wanted === 'number' && typeof reached === 'number' && reached < wanted && !world.healed;
  }
  // A node that stood still while others let go of the log says so until it has caught up.
  if (isTailwaterError(error, 'TW_NOT_READY')) return world.collected && !world.healed;
  return !world.healed && isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE', 'TW_DEADLINE', 'TW_SHARD_STOPPED', 'TW_CLOSED');
}

/** Whether what an instant needs may have been let go of: its table state, or segments between that and the instant. */
function mayBeGone({ truth }: World, { definition }: StreamModel, { exact: segment, byTime }: Demand): boolean {
  if (segment === null) return false;
  const { incarnation } = definition;
  // Of a deleted stream everything may be gone at any moment.
  if (truth.dead.has(incarnation)) return true;
  if (byTime === true && segment < truth.logFloor) return true;
  const state = truth.stateAt(incarnation, segment);
  return (state?.n ?? 0) < truth.stateFloorOf(incarnation) || truth.logFloor > (state?.logSeq ?? 0) + 1;
}
