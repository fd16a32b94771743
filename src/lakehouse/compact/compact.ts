import { Pace, randomId, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import { successorFault } from '../states/successor.ts';
import { stackLayer } from '../statistics/stacking.ts';
import type { TableStatistics } from '../statistics/statistics.ts';
import type { TableState } from '../table-types.ts';
import { type Attempt, untilDone } from './attempts.ts';
import { stageStep, subtractRows } from './execute.ts';
import { stateAfterStep } from './outcome.ts';
import { planStep, type StepPlan } from './plan.ts';
import { type LogPosition, readStep, type StepInput } from './read-step.ts';
import { type CompactionContext, type TableWork, workOn } from './settings.ts';
import { vectorsOfStep } from './vectors.ts';

export interface CompactionProgress {
  /** Every segment up to here is in the table. */
  logSeq: number;
  throughSegment: number;
  /** Records moved by this call so far, by whoever committed them. */
  records: number;
}

export interface CompactOptions {
  /** The first segment that may hold records of the stream above its table; default: the one after its table's. */
  firstSegment?: number;
  onProgress?(progress: CompactionProgress): void;
}

/**
 * Moves every record of the stream in segments up to `throughSegment` from the log into its table, in steps of bounded size, each one
 * commit (C1, C3). Safe to run any number of times, side by side, and to be killed at any moment. Returns the newest state, or null
 * when the stream has no record yet. Throws TW_COMPACTION_FAILED when a step does not succeed, TW_DATA_DAMAGED, TW_STORAGE_FULL.
 */
export async function compactStream(
  context: CompactionContext,
  definition: StreamDefinition,
  throughSegment: number,
  options: CompactOptions = {},
): Promise<TableState | null> {
  const work = workOn(context, definition);
  const start: LogPosition = { logSeq: (options.firstSegment ?? 1) - 1, logTimeMs: 0, watermark: [] };
  let position = start;
  let state: TableState | null = null;
  let records = 0;
  for (;;) {
    const from: LogPosition = position;
    const step: StepResult = await untilDone(work, 'Compaction', () => attemptStep(work, from, throughSegment));
    state = step.state;
    if (step.moved === null) return state;
    position = step.position;
    records += step.moved;
    options.onProgress?.({ logSeq: position.logSeq, throughSegment, records });
  }
}

interface StepResult {
  state: TableState | null;
  position: LogPosition;
  /** Null: nothing was left to do. */
  moved: number | null;
}

/** One step on the newest state, or for a stream without a table from `fresh`; `fresh.logSeq` is never read again. */
async function attemptStep(work: TableWork, fresh: LogPosition, throughSegment: number): Promise<Attempt<StepResult>> {
  // The floor first: what it lets go of is then in the state that is read after it.
  const floor = await work.log.floor();
  const base = await work.states.latest();
  const from = startOf(base ?? fresh, fresh.logSeq, floor);
  if (from.logSeq >= throughSegment) return { kind: 'done', value: { state: base, position: from, moved: null } };
  const startedMs = work.clock.nowMs();
  const input = await readStep(work, from, throughSegment);
  // Without a record of the stream no offset proves that none was passed over below the floor.
  if (input.records.length === 0 && (base === null || from.logSeq > base.logSeq)) {
    return { kind: 'done', value: { state: base, position: input.to, moved: 0 } };
  }
  const { next, statistics } = await buildState(work, base, input, startedMs);
  if ((await work.states.commit(next)) === 'lost') return { kind: 'lost' };
  work.remember(statistics);
  work.logger?.info(
    { stream: work.definition.name, n: next.n, logSeq: next.logSeq, rows: next.rowCount, ...next.summary },
    'compacted',
  );
  return { kind: 'done', value: { state: next, position: next, moved: input.records.length } };
}

/**
 * A stream that was idle has no record between its table and the segment it is said to begin at, nor below the floor: what is collected
 * is in tables. Its offsets, which must go on without a gap, prove it.
 */
function startOf(base: LogPosition, firstLogSeq: number, floor: number): LogPosition {
  const logSeq = Math.max(base.logSeq, firstLogSeq, floor - 1);
  return logSeq === base.logSeq ? base : { logSeq, logTimeMs: base.logTimeMs, watermark: base.watermark };
}

interface BuiltState {
  next: TableState;
  statistics: TableStatistics;
}

/** Everything short of the commit: afterwards the state only has to be created. */
async function buildState(work: TableWork, base: TableState | null, input: StepInput, startedMs: number): Promise<BuiltState> {
  const statistics = await work.statistics(base?.statistics ?? []);
  const pace = new Pace(work.clock, work.limits.sliceMs);
  const plan = await planStep(work, base, statistics, input, pace);
  const vectors = await vectorsOfStep(work, plan.derived, plan.rows.length);
  const staged = input.records.length === 0 ? null : await stageStep(work, plan, vectors);
  await subtractRows(work.definition, staged?.taken ?? [], plan.collector, pace);
  const { store, random, definition } = work;
  const forState = { incarnation: definition.incarnation, n: (base?.n ?? 0) + 1 };
  const stacked = await stackLayer(store, random, forState, statistics, plan.collector.finish());
  const next = stateAfterStep(identityOf(definition), plan, staged, {
    attemptId: randomId(random),
    committedAtMs: work.clock.nowMs(),
    statistics: stacked.objectKeys,
    missingVectors: vectors?.missing ?? 0,
    milliseconds: work.clock.nowMs() - startedMs,
  });
  checkSuccessor(base, next, plan);
  return { next, statistics: stacked };
}

function identityOf({ incarnation, table, embed }: StreamDefinition): Pick<TableState, 'incarnation' | 'format' | 'embedding'> {
  const embedding = embed === null ? null : { provider: embed.provider, model: embed.model, dimensions: embed.dimensions };
  return { incarnation, format: table.format, embedding };
}

function checkSuccessor(base: TableState | null, next: TableState, plan: StepPlan): void {
  const fault = successorFault(base, next, plan.input.offsetsHash);
  if (fault !== null)
    throw new TailwaterError('TW_COMPACTION_FAILED', { detail: `The planned table state is not sound: ${fault}.` });
}
