import { isTailwaterError } from '../../src/base/index.ts';
import { type CompactionContext, compactStream, maintainTable } from '../../src/lakehouse/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { ProcessDied } from './life.ts';
import type { Operation } from './plan.ts';
import type { SimNode } from './sim-node.ts';
import { must, Violation } from './violation.ts';
import { codeOf, describe, type World } from './world.ts';

type Of<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

/** Moves a stream's tail into its table; twice at once when the plan says so. */
export async function compact(world: World, operation: Of<'compact'>, label: string): Promise<void> {
  const definition = world.definition(operation.stream);
  const jobs = Array.from({ length: operation.times }, async (_, index) => {
    const node = world.pick(operation.node + index);
    if (node === null) return;
    await tableWork(world, `${label}.${index}`, node, definition, async () => {
      const context = index === 0 ? node.context : node.compactor();
      await compactHere(node, context, definition);
      if (operation.maintain) await maintainTable(context, definition);
    });
  });
  await Promise.all(jobs);
}

/** As the engine does it: through the segments this node has applied, and each new state is taken over at once. */
export async function compactHere(node: SimNode, context: CompactionContext, definition: StreamDefinition): Promise<void> {
  node.streams.requireReady();
  const live = node.streams.get(definition.incarnation);
  const throughSegment = node.shard.seq;
  const firstSegment = live?.tail.firstSegment ?? throughSegment + 1;
  const onProgress = (): void => void live?.advance().catch(() => {});
  await compactStream(context, definition, throughSegment, { firstSegment, onProgress });
  await live?.advance();
}

export async function maintain(world: World, operation: Of<'maintain'>, label: string): Promise<void> {
  const node = world.pick(operation.node);
  if (node === null) return;
  const definition = world.definition(operation.stream);
  await tableWork(world, label, node, definition, () => maintainTable(node.context, definition, { full: operation.full }));
}

export async function advance(world: World, operation: Of<'advance'>, label: string): Promise<void> {
  const node = world.pick(operation.node);
  const definition = world.definition(operation.stream);
  const live = node?.streams.get(definition.incarnation);
  if (node !== null && live) await tableWork(world, label, node, definition, () => live.advance());
}

export async function checkpoint(world: World, operation: Of<'checkpoint'>, label: string): Promise<void> {
  const node = world.pick(operation.node);
  if (node !== null) await tableWork(world, label, node, null, () => node.shard.checkpoint());
}

const PASSING = [
  'TW_COMPACTION_FAILED',
  'TW_STORAGE_UNAVAILABLE',
  'TW_STORAGE_FULL',
  'TW_OUTCOME_UNKNOWN',
  'TW_SHARD_STOPPED',
  'TW_CLOSED',
] as const;

async function tableWork(
  world: World,
  label: string,
  node: SimNode,
  definition: StreamDefinition | null,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await node.life.ask(work);
    world.note(`${label} done`);
  } catch (error) {
    if (error instanceof Violation) throw error;
    world.note(`${label} ${codeOf(error)}`);
    if (error instanceof ProcessDied) return;
    // Of a deleted stream everything may be gone at any moment.
    if (definition !== null && world.truth.dead.has(definition.incarnation) && isTailwaterError(error)) return;
    const letGo = world.collected && isTailwaterError(error, 'TW_HISTORY_EXPIRED', 'TW_NOT_READY');
    const passing = isTailwaterError(error, ...PASSING) || letGo;
    must(passing, 'upkeep succeeds or says why not', () => describe(error));
  }
}
