import { maintainTable } from '../../src/lakehouse/index.ts';
import { NO_FAULTS } from '../harness/faulty-object-store.ts';
import { WORDS } from './draw-plan.ts';
import type { FollowActor } from './follow-actor.ts';
import type { PlannedQuery } from './plan.ts';
import { read } from './read-actors.ts';
import { settleStreams } from './recreate-actor.ts';
import type { SimNode } from './sim-node.ts';
import { compactHere } from './table-actors.ts';
import { checkTable } from './table-check.ts';
import { must } from './violation.ts';
import type { World } from './world.ts';

/** Longer than any pause, late put and restart. */
const CALM_MS = 1_200_000;
const FOLLOWER_MS = 30_000;

/** Everything heals and lands; then the log, the tables and every reader agree with the model. */
export async function finish(world: World, followers: readonly FollowActor[]): Promise<void> {
  world.setFaults(NO_FAULTS);
  world.service.down = false;
  world.calm = true;
  await world.clock.sleep(CALM_MS);
  await world.idle();
  world.calm = false;
  world.healed = true;
  world.note('healed');
  for (const index of world.nodes.keys()) await revive(world, index);
  await settleStreams(world);
  checkFates(world);
  await world.clock.sleep(FOLLOWER_MS);
  for (const node of world.nodes) await node?.life.ask(() => catchUp(node));
  await world.clock.sleep(FOLLOWER_MS);
  for (const follower of followers) {
    follower.check();
    follower.end();
  }
  await readAll(world);
  await world.idle();
  const node = world.nodes[0]!;
  for (const definition of world.definitions) {
    await compactAll(world, node, world.truth.streamOf(definition.incarnation).definition.incarnation);
  }
  await readAll(world);
  await world.idle();
}

/** A node that fell behind the log learns of it here at the latest, and has time to open its streams anew. */
async function catchUp(node: SimNode): Promise<void> {
  await node.catalog.refresh();
  await node.shard.refresh();
}

/** A node whose fuse never burned down is stopped hard, too: its last call may be one of the checks otherwise. So is a log that stopped. */
async function revive(world: World, index: number): Promise<void> {
  const node = world.nodes[index];
  if (node !== null && (world.expected.has(node) || world.plan.journal === 'file')) {
    const comesBack = world.expected.has(node);
    node.life.die();
    // Whoever had lit its fuse starts it again.
    await world.clock.sleep(1);
    if (comesBack) await world.idle();
  }
  if (world.nodes[index] === null) await world.start(index);
}

/** What was acknowledged stays, what certainly failed never comes, and what is unknown came once or not at all. */
function checkFates(world: World): void {
  const { truth, fates, keys } = world;
  for (const [id, { marks, kind }] of fates) {
    const there = marks.filter(mark => truth.marks.has(mark)).length;
    const facts = (): object => ({ id, kind, marks, there });
    must(there === 0 || there === marks.length, 'an append is whole or absent', facts);
    if (kind === 'acknowledged') must(there === marks.length, 'what was acknowledged stays', facts);
    if (kind === 'failed') must(there === 0, 'what failed was not written', facts);
  }
  for (const [key, ids] of keys) {
    const written = ids.filter(id => fates.get(id)!.marks.some(mark => truth.marks.has(mark)));
    must(written.length <= 1, 'one key is one append', () => ({ key, written }));
  }
}

async function compactAll(world: World, node: SimNode, incarnation: string): Promise<void> {
  const { truth } = world;
  const model = truth.streamOf(incarnation);
  await node.life.ask(() => node.shard.refresh());
  await node.life.ask(() => compactHere(node, node.context, model.definition));
  await node.life.ask(() => maintainTable(node.context, model.definition, { full: true }));
  await node.life.ask(() => node.streams.get(incarnation)!.advance());
  const state = truth.latestState(incarnation);
  must((state !== undefined) === model.records.length > 0, 'a stream with records has a table', () => incarnation);
  if (state === undefined) return;
  const compacted = model.countAt(state.logSeq);
  must(compacted === model.records.length, 'compaction gets to the head', () => ({ logSeq: state.logSeq, head: truth.head }));
  must(state.nullVectors === 0, 'a healed provider fills every vector', () => ({ nullVectors: state.nullVectors }));
  await checkTable(world, model, state);
  must(node.streams.get(incarnation)!.tail.rows === 0, 'a compacted stream has no tail', () => incarnation);
}

/** Every stream in every way, on every node. */
async function readAll(world: World): Promise<void> {
  for (const node of world.nodes.keys()) {
    for (const [stream, { settings }] of world.plan.streams.entries()) {
      const operations: Parameters<typeof read>[1][] = [];
      const base = { node, stream, afterMs: 0, consistency: { kind: 'strong' as const } };
      for (const mode of modesOf(settings)) operations.push({ ...base, kind: 'search', query: queryOf(mode) });
      const partitions = settings.partitions ?? 1;
      for (let partition = 0; partition < partitions; partition++) {
        operations.push({ ...base, kind: 'page', partition, from: { kind: 'earliest' }, limit: 10_000 });
      }
      for (const operation of operations) await read(world, operation, `final ${node}/${stream} ${operation.kind}`);
    }
  }
}

function modesOf({ search, embed }: World['plan']['streams'][number]['settings']): PlannedQuery['mode'][] {
  const modes: PlannedQuery['mode'][] = ['filter'];
  if (search) modes.push('text');
  if (embed) modes.push('vector');
  if (search && embed) modes.push('hybrid');
  return modes;
}

function queryOf(mode: PlannedQuery['mode']): PlannedQuery {
  return { mode, words: WORDS.slice(0, 3), vector: null, filter: null, limit: 100 };
}
