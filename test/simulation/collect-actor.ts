import type { Operation } from './plan.ts';
import type { World } from './world.ts';

type Collect = Extract<Operation, { kind: 'collect' }>;

/** Lets go of what nobody needs any more. */
export async function collect(world: World, operation: Collect, label: string): Promise<void> {
  const node = world.pick(operation.node);
  if (node === null) return;
  world.note(`${label} nothing to do`);
}
