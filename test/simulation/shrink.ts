import type { FaultRates, Operation, Plan } from './plan.ts';
import { runPlan } from './run-plan.ts';

/** Runs of plans at most; a history takes some tens of milliseconds. */
const MAX_RUNS = 400;

/** A smaller plan that breaks the same promise: fewer operations, fewer faults, fewer nodes. */
export async function shrink(plan: Plan, promise: string): Promise<Plan> {
  let runs = 0;
  const breaks = async (candidate: Plan): Promise<boolean> => {
    if (runs++ >= MAX_RUNS) return false;
    return (await runPlan(candidate)).failure?.promise === promise;
  };
  let smallest = { ...plan, operations: await fewerOperations(plan, breaks) };
  for (const rate of Object.keys(plan.rates) as (keyof FaultRates)[]) {
    const calmer = { ...smallest, rates: { ...smallest.rates, [rate]: 0 } };
    if (smallest.rates[rate] > 0 && (await breaks(calmer))) smallest = calmer;
  }
  for (const changes of [{ nodes: 1 }, { nodes: 2 }, { lingerMs: 0 }, { retries: false }]) {
    const simpler = { ...smallest, ...changes };
    if (simpler.nodes <= smallest.nodes && (await breaks(simpler))) smallest = simpler;
  }
  return { ...smallest, operations: await fewerOperations(smallest, breaks) };
}

/** Delta debugging: leaves out ever smaller runs of operations. Their pauses stay. */
async function fewerOperations(plan: Plan, breaks: (candidate: Plan) => Promise<boolean>): Promise<Operation[]> {
  let { operations } = plan;
  for (let size = Math.ceil(operations.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < operations.length; ) {
      const candidate = without(operations, start, size);
      if (await breaks({ ...plan, operations: candidate })) operations = candidate;
      else start += size;
    }
  }
  return operations;
}

function without(operations: readonly Operation[], start: number, size: number): Operation[] {
  const pauseMs = operations.slice(start, start + size).reduce((sum, { afterMs }) => sum + afterMs, 0);
  const rest = operations.slice(start + size).map((operation, index) => {
    return index === 0 ? { ...operation, afterMs: operation.afterMs + pauseMs } : operation;
  });
  return [...operations.slice(0, start), ...rest];
}
