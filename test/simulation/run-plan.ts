import { createHash } from 'node:crypto';
import { append } from './append-actor.ts';
import { crash, jump, pause, restart } from './chaos-actors.ts';
import { collect } from './collect-actor.ts';
import { finish } from './finish.ts';
import { FollowActor } from './follow-actor.ts';
import type { Operation, Plan } from './plan.ts';
import { read } from './read-actors.ts';
import { recreate } from './recreate-actor.ts';
import { advance, checkpoint, compact, maintain } from './table-actors.ts';
import { Violation } from './violation.ts';
import { describe, World } from './world.ts';

export interface RunResult {
  /** Null: everything held. */
  failure: { promise: string; message: string } | null;
  trace: string[];
  traceHash: string;
  segments: number;
  states: number;
}

/** Executes a plan: one program, one order of events. */
export async function runPlan(plan: Plan): Promise<RunResult> {
  const world = new World(plan);
  const onRejection = (error: unknown): void => world.fail(new Violation('no rejection is left to itself', describe(error)));
  process.on('unhandledRejection', onRejection);
  let failure: RunResult['failure'] = null;
  try {
    await world.clock.run(Promise.race([world.failure, play(world)]));
  } catch (error) {
    const promise = error instanceof Violation ? error.promise : 'the simulation itself works';
    failure = { promise, message: error instanceof Violation ? error.message : describe(error) + stackOf(error) };
  } finally {
    process.off('unhandledRejection', onRejection);
    for (const node of world.nodes) node?.life.die();
  }
  const traceHash = createHash('sha256').update(world.trace.join('\n')).digest('hex').slice(0, 16);
  const states = [...world.truth.streams.keys()].reduce((sum, id) => sum + (world.truth.latestState(id)?.n ?? 0), 0);
  return { failure, trace: world.trace, traceHash, segments: world.truth.head, states };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? `\n${error.stack}` : '';
}

async function play(world: World): Promise<void> {
  await setUp(world);
  world.setFaults(world.plan.rates);
  const followers = new Map<number, FollowActor>();
  for (const [index, operation] of world.plan.operations.entries()) {
    await world.clock.sleep(operation.afterMs);
    perform(world, operation, `#${index} ${operation.kind}`, followers);
  }
  await finish(world, [...followers.values()]);
}

async function setUp(world: World): Promise<void> {
  const first = await world.start(0);
  for (const { name, settings } of world.plan.streams) {
    world.definitions.push((await first.life.ask(() => first.catalog.create(name, settings))).definition);
  }
  for (let index = 1; index < world.plan.nodes; index++) await world.start(index);
}

function perform(world: World, operation: Operation, label: string, followers: Map<number, FollowActor>): void {
  const work = workOf(world, operation, label);
  if (work !== null) world.spawn(work);
  else disturb(world, operation, followers);
}

/** What goes on for a while beside everything else; null: it is done in no time. */
function workOf(world: World, operation: Operation, label: string): (() => Promise<void>) | null {
  switch (operation.kind) {
    case 'append':
      return () => append(world, operation);
    case 'search':
    case 'page':
    case 'row':
      return () => read(world, operation, label);
    case 'compact':
      return () => compact(world, operation, label);
    case 'maintain':
      return () => maintain(world, operation, label);
    case 'advance':
      return () => advance(world, operation, label);
    case 'checkpoint':
      return () => checkpoint(world, operation, label);
    case 'collect':
      return () => collect(world, operation, label);
    case 'recreate':
      return () => recreate(world, operation, label);
    case 'restart':
      return () => restart(world, operation);
    case 'pause':
      return () => pause(world, operation);
    default:
      return null;
  }
}

function disturb(world: World, operation: Operation, followers: Map<number, FollowActor>): void {
  if (operation.kind === 'crash') crash(world, operation);
  else if (operation.kind === 'jump') jump(world, operation);
  else if (operation.kind === 'provider') world.service.down = operation.down;
  else if (operation.kind === 'follow' || operation.kind === 'stall' || operation.kind === 'move')
    steer(world, operation, followers);
}

function steer(
  world: World,
  operation: Extract<Operation, { kind: 'follow' | 'stall' | 'move' }>,
  followers: Map<number, FollowActor>,
): void {
  const actor = followers.get(operation.follower);
  if (operation.kind === 'follow') {
    if (actor !== undefined) return;
    const started = new FollowActor(world, operation);
    followers.set(operation.follower, started);
    // Followers never end by themselves: nobody waits for them.
    started.run().catch(error => world.fail(error));
  } else if (operation.kind === 'stall') {
    if (actor !== undefined) actor.stalled = operation.stalled;
  } else actor?.move(operation.node);
}
