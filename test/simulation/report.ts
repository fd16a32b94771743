import type { Plan } from './plan.ts';
import { type RunResult, runPlan } from './run-plan.ts';
import { shrink } from './shrink.ts';

const TRACE_LINES = 40;
const MAX_LINE = 400;

/** What broke, how to see it again, and the shortest history found that breaks it too. */
export async function failureReport(plan: Plan, operations: number, result: RunResult): Promise<string> {
  const { promise, message } = result.failure!;
  const small = await shrink(plan, promise);
  const again = await runPlan(small);
  return [
    `Seed ${plan.seed} broke: ${message}`,
    `Again: npm run simulate -- --seed ${plan.seed} --ops ${operations}`,
    `Shrunk to ${small.operations.length} of ${plan.operations.length} operations, ${small.nodes} nodes, ${small.journal} journal, faults ${faultsOf(small)}:`,
    ...small.operations.map((operation, index) => `  #${index} ${JSON.stringify(operation).slice(0, MAX_LINE)}`),
    'What happened (milliseconds since the start):',
    ...again.trace.slice(-TRACE_LINES).map(line => `  ${line.slice(0, MAX_LINE)}`),
  ].join('\n');
}

function faultsOf({ rates }: Plan): string {
  const active = Object.entries(rates).filter(([, rate]) => rate > 0);
  return active.map(([name, rate]) => `${name} ${Number(rate.toFixed(3))}`).join(', ');
}
