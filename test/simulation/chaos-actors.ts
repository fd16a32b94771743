import type { Operation } from './plan.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

type Of<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

/** The process dies at one of its next calls, and is started again later. */
export function crash(world: World, operation: Of<'crash'>): void {
  const node = world.pick(operation.node);
  if (node === null) return;
  node.life.withMachine = operation.machine;
  node.life.lightFuse(operation.afterCalls, operation.lands);
  comeBack(world, node, operation.downMs);
}

/** An orderly stop, then a start. */
export async function restart(world: World, operation: Of<'restart'>): Promise<void> {
  const node = world.pick(operation.node);
  if (node === null) return;
  comeBack(world, node, 0);
  await node.life.ask(() => node.close()).catch(() => {});
  node.life.die();
}

export function comeBack(world: World, node: SimNode, downMs: number): void {
  const index = world.nodes.indexOf(node);
  if (world.expected.has(node)) return;
  world.expected.add(node);
  node.life.died.catch(() => {
    world.spawn(async () => {
      await world.clock.sleep(downMs);
      await world.start(index);
    });
  });
}

/** The process stands still, past every lease and grace time perhaps, and then goes on as if nothing had been. */
export async function pause(world: World, operation: Of<'pause'>): Promise<void> {
  const node = world.pick(operation.node);
  if (node === null) return;
  node.life.pause();
  await world.clock.sleep(operation.ms);
  node.life.resume();
}

export function jump(world: World, operation: Of<'jump'>): void {
  const node = world.pick(operation.node);
  if (node === null) return;
  node.clock.offsetMs = operation.ms;
}
