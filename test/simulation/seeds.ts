import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { drawPlan } from './draw-plan.ts';
import { failureReport } from './report.ts';
import { runPlan } from './run-plan.ts';

/** The seeds first, first + step, … below end. */
export interface SeedRange {
  first: number;
  end: number;
  step: number;
  operations: number;
  /** A failure is reported whole, with a shrunk plan, or only named. */
  shrink: boolean;
  /** Ends at the first failure. */
  stopAtFailure: boolean;
}

export interface SeedOutcome {
  seed: number;
  traceHash: string;
  segments: number;
  states: number;
  /** The broken promise; null when all held. */
  broken: string | null;
  report: string | null;
}

/** Starting a thread takes longer than this many histories. */
const SEEDS_WORTH_A_THREAD = 40;
const MAX_THREADS = 8;
/** A history makes much that lives shortly: where there is room for that, it is gone before it is looked at. */
const YOUNG_GENERATION_MB = 192;

export async function runSeeds(range: SeedRange, tell: (outcome: SeedOutcome) => void): Promise<void> {
  for (let seed = range.first; seed < range.end; seed += range.step) {
    const plan = drawPlan(seed, range.operations);
    const { failure, traceHash, segments, states } = await withoutStacks(() => runPlan(plan));
    const report = failure !== null && range.shrink ? await failureReport(plan, range.operations, await runPlan(plan)) : null;
    tell({ seed, traceHash, segments, states, broken: failure?.promise ?? null, report });
    if (failure !== null && range.stopAtFailure) return;
  }
}

/** Errors are made often, and where nobody reads their stacks these are not worth their time. */
async function withoutStacks<T>(work: () => Promise<T>): Promise<T> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Runs seeds on so many threads; null: on all cores when there are many seeds. */
export async function runSeedsInParallel(
  range: SeedRange,
  wanted: number | null,
  tell: (outcome: SeedOutcome) => void,
): Promise<void> {
  const count = range.end - range.first;
  const threads = wanted ?? Math.min(MAX_THREADS, availableParallelism(), Math.floor(count / SEEDS_WORTH_A_THREAD));
  if (threads < 2) return runSeeds(range, tell);
  const shares = Array.from({ length: threads }, (_, index) => ({ ...range, first: range.first + index, step: threads }));
  await Promise.all(shares.map(share => inThread(share, tell)));
}

function inThread(range: SeedRange, tell: (outcome: SeedOutcome) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('seed-worker.ts', import.meta.url), {
      workerData: range,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    worker.on('message', tell);
    worker.on('error', reject);
    worker.on('exit', code =>
      code === 0 ? resolve() : reject(new Error(`A thread of the simulation ended with code ${code}.`)),
    );
  });
}
