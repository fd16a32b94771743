import { isTailwaterError } from '../../src/base/index.ts';
import { ProcessDied } from './life.ts';
import type { Operation } from './plan.ts';
import { must, Violation } from './violation.ts';
import { codeOf, describe, type World } from './world.ts';

type Collect = Extract<Operation, { kind: 'collect' }>;

/** What a part of a run may meet through no fault of the code; the report says the rest. */
const PASSING =
  /: (TW_STORAGE_UNAVAILABLE|TW_STORAGE_FULL|TW_OUTCOME_UNKNOWN|TW_HISTORY_EXPIRED|TW_SHARD_STOPPED|TW_COMPACTION_FAILED|TW_CLOSED|TW_BUSY):/;

/** Lets go of what nobody needs any more. */
export async function collect(world: World, operation: Collect, label: string): Promise<void> {
  const node = world.pick(operation.node);
  if (node === null) return;
  world.collected = true;
  try {
    const report = await node.life.ask(() => node.collector.run({ thorough: operation.thorough }));
    const unexpected = report.problems.filter(problem => !PASSING.test(problem));
    must(unexpected.length === 0, 'a collection works or says why not', () => unexpected);
    const [log] = report.log;
    world.note(`${label} floor ${log?.floor ?? '?'}, ${report.states} states, ${report.problems.length} problems`);
  } catch (error) {
    if (error instanceof Violation) throw error;
    world.note(`${label} ${codeOf(error)}`);
    const passing = isTailwaterError(
      error,
      'TW_STORAGE_UNAVAILABLE',
      'TW_SHARD_STOPPED',
      'TW_CLOSED',
      'TW_HISTORY_EXPIRED',
      'TW_OUTCOME_UNKNOWN',
    );
    must(error instanceof ProcessDied || passing, 'a collection works or says why not', () => describe(error));
  }
}
