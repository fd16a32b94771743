import { isTailwaterError } from '../../src/base/index.ts';
import { ProcessDied } from './life.ts';
import type { Operation } from './plan.ts';
import { must, Violation } from './violation.ts';
import { codeOf, describe, type World } from './world.ts';

type Recreate = Extract<Operation, { kind: 'recreate' }>;

const TRIES = 5;
const RETRY_MS = 400;

/** Deletes a stream and creates another one of the same name and settings, which has nothing of the first. */
export async function recreate(world: World, operation: Recreate, label: string): Promise<void> {
  const index = operation.stream % world.definitions.length;
  const old = world.definitions[index];
  const { settings } = world.plan.streams[index];
  world.recreated.add(old.name);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const node = world.pick(operation.node + attempt);
    try {
      if (node === null) throw new ProcessDied();
      const definition = await node.life.ask(async () => {
        await node.catalog.refresh();
        if (node.catalog.get(old.name)?.incarnation === old.incarnation) await node.catalog.delete(old.name);
        return (await node.catalog.create(old.name, settings)).definition;
      });
      must(definition.incarnation !== old.incarnation, 'a stream that is created again is another one', () => old.name);
      must(world.truth.streams.has(definition.incarnation), 'a created stream is in the log', () => old.name);
      world.definitions[index] = definition;
      world.note(`${label} ${old.name} is ${definition.incarnation}`);
      return;
    } catch (error) {
      if (error instanceof Violation) throw error;
      world.note(`${label} ${codeOf(error)}`);
      const passing = [
        'TW_STORAGE_UNAVAILABLE',
        'TW_STORAGE_FULL',
        'TW_OUTCOME_UNKNOWN',
        'TW_SHARD_STOPPED',
        'TW_CLOSED',
      ] as const;
      // Another client may be at the same.
      const raced = isTailwaterError(error, 'TW_STREAM_NOT_FOUND');
      must(
        raced || error instanceof ProcessDied || isTailwaterError(error, ...passing),
        'streams are created and deleted, or not',
        () => describe(error),
      );
    }
    await world.clock.sleep(RETRY_MS);
  }
}

/** At the end every stream exists, whatever became of the attempts to create it again. */
export async function settleStreams(world: World): Promise<void> {
  const node = world.pick(0)!;
  for (const [index, { name, settings }] of world.plan.streams.entries()) {
    if (!world.recreated.has(name)) continue;
    world.definitions[index] = (await node.life.ask(() => node.catalog.create(name, settings))).definition;
  }
}
