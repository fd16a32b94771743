import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTailwaterError, type JsonObject, seededRandom, systemClock } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { type StepAnswer, Tailwater, type TailwaterApi } from '../../src/index.ts';
import type { Engine } from '../../src/server/engine.ts';
import { engineToolApi } from '../../src/server/mcp/engine-tool-api.ts';
import { planStep } from '../../src/server/steps/plan-step.ts';
import { MemoryObjectStore, type ObjectStore } from '../../src/storage/index.ts';
import { FaultyObjectStore } from '../harness/faulty-object-store.ts';
import { Lifetime, mortal } from '../harness/mortal.ts';
import { temporaryEngine, temporaryFolder } from './engine-support.ts';
import { startServer } from './http-support.ts';
import { openSharedNode } from './shared-node.ts';
import { createStepStreams, STEP_WORKER, stepOf } from './step-worker.ts';

const SLOW_MS = 120_000;

type Writer = Parameters<typeof createStepStreams>[0];

async function prepare(tailwater: Writer, inputs: number): Promise<void> {
  await createStepStreams(tailwater);
  await tailwater.append(
    'inputs',
    Array.from({ length: inputs }, (_, n) => ({ value: { n } })),
  );
}

/** Who answered each input, as the streams of outputs have it: both must say the same, once. */
async function winners(api: Pick<TailwaterApi, 'read'>): Promise<string[]> {
  const valuesOf = async (stream: string): Promise<JsonObject[]> => {
    const { records } = await api.read(stream, { limit: 1000, consistency: { strong: true } });
    return records.map(({ value }) => value as JsonObject);
  };
  const answers = await valuesOf('answers');
  const facts = await valuesOf('facts');
  expect(answers.map(({ input }) => input)).toEqual(answers.map((_, at) => at));
  expect(facts).toEqual(answers.map(({ input, worker }) => ({ id: `of-${input}`, worker })));
  return answers.map(({ worker }) => String(worker));
}

describe('steps', () => {
  test('of workers that crash at any call of the store, lose replies and race write each input’s outputs once, and all learn the same result', {
    timeout: SLOW_MS,
  }, async () => {
    const inputs = 4;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1e6 }),
        fc.array(fc.integer({ min: 30, max: 160 }), { maxLength: 4 }),
        async (seed, lives) => {
          await using folder = await temporaryFolder();
          const truth = new MemoryObjectStore();
          const first = await openSharedNode(truth, folder.path);
          await prepare(engineToolApi(first, null), inputs);
          const told = new Map<number, unknown[]>();
          const work = (name: string) => workUntilDone(name, truth, folder.path, { inputs, lives: [...lives], seed, told });
          await Promise.all([work('ann'), work('bob')]);
          const won = await winners(engineToolApi(first, null));
          expect(won).toHaveLength(inputs);
          for (const [offset, results] of told) for (const result of results) expect(result).toEqual({ worker: won[offset] });
          await first.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of processes that are killed are done once', { timeout: SLOW_MS }, async () => {
    await using engine = await temporaryEngine();
    await prepare(engine.tailwater, 1000);
    await engine.tailwater.close();
    const told: { offset: number; applied: boolean; result: JsonObject }[] = [];
    for (const [life, steps] of [3, 40, 1, 60].entries()) {
      const child = spawn(process.execPath, [STEP_WORKER, engine.dataDir, `w${life}`], { stdio: ['ignore', 'pipe', 'inherit'] });
      const gone = once(child, 'exit');
      let left = steps;
      for await (const line of createInterface(child.stdout)) {
        told.push(JSON.parse(line));
        if (--left === 0) child.kill('SIGKILL');
      }
      expect((await gone)[1]).toBe('SIGKILL');
    }
    const reader = await Tailwater.open({ dataDir: engine.dataDir, compaction: { auto: false } });
    const won = await winners(reader);
    expect(won.length).toBeGreaterThan(95);
    expect(told.map(({ result }) => result.worker)).toEqual(told.map(({ offset }) => won[offset]));
    const { position } = await reader.stepPosition({ consumer: 'agent', stream: 'inputs' });
    expect(position).toBe(won.length - 1);
    await reader.close();
  });

  test('for one input at the same moment have one winner, whose result the others get, also when it has gone on', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await prepare(tailwater, 3);
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map(worker => tailwater.step(stepOf(worker, 0))));
    expect(answers.filter(({ applied }) => applied)).toHaveLength(1);
    const [winner] = await winners(tailwater);
    expect(answers.map(({ result }) => result)).toEqual(answers.map(() => ({ worker: winner })));
    await tailwater.step(stepOf('e', 1));
    await tailwater.compact('facts');
    expect(await tailwater.step(stepOf('late', 0))).toMatchObject({ applied: false, position: 1, result: { worker: winner } });
    expect(await winners(tailwater)).toEqual([winner, 'e']);
  });

  test('that are refused in one output write nothing in any, and leave the position', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await prepare(tailwater, 2);
    const good = stepOf('a', 0);
    const keyless = { stream: 'facts', records: [{ value: { no: 'key' } }] };
    await expect(tailwater.step({ ...good, outputs: [...good.outputs!, keyless] })).rejects.toThrow('facts');
    await expect(tailwater.step({ ...good, outputs: [{ stream: 'nowhere', records: [{ value: 1 }] }] })).rejects.toMatchObject({
      code: 'TW_STREAM_NOT_FOUND',
    });
    await expect(tailwater.step({ ...good, result: 'x'.repeat(70_000) })).rejects.toMatchObject({ code: 'TW_BODY_TOO_LARGE' });
    await expect(tailwater.step(stepOf('a', 2))).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    expect(await winners(tailwater)).toEqual([]);
    expect((await tailwater.listStreams()).map(({ definition }) => definition.name)).not.toContain('facts.dlq');
    expect(await tailwater.stepPosition({ consumer: 'agent', stream: 'inputs' })).toMatchObject({ position: -1, result: null });
    expect(await tailwater.step(good)).toMatchObject({ applied: true, position: 0 });
  });

  test('belong to one consumer, one partition and one life of the stream', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await prepare(tailwater, 1);
    expect(await tailwater.step(stepOf('a', 0))).toMatchObject({ applied: true });
    expect(await tailwater.step({ ...stepOf('a', 0), consumer: 'other', outputs: [] })).toMatchObject({ applied: true });
    await tailwater.deleteStream('inputs');
    await tailwater.createStream('inputs', { kind: 'append' });
    await tailwater.append('inputs', [{ value: { n: 0 } }]);
    expect(await tailwater.stepPosition({ consumer: 'agent', stream: 'inputs' })).toMatchObject({ position: -1 });
    expect(await tailwater.step({ ...stepOf('a', 0), outputs: [] })).toMatchObject({ applied: true });
  });

  test('sent again by a client whose reply was lost are known, and the client reads what they wrote', async () => {
    await using engine = await temporaryEngine();
    await using server = await startServer(engine.tailwater.engine);
    await prepare(engine.tailwater, 1);
    let lost = 0;
    const lossy: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (init?.method !== 'POST' || lost++ > 0) return answer;
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) });
    };
    const client = new TailwaterClient({ url: server.url, fetch: lossy });
    const { applied, token } = await client.step(stepOf('a', 0));
    expect([applied, lost]).toEqual([false, 2]);
    expect((await client.getRow('facts', 'of-0')).record.value).toEqual({ id: 'of-0', worker: 'a' });
    expect((await client.query('answers', { mode: 'filter', consistency: { atLeast: token } })).hits).toHaveLength(1);
    expect(await client.stepPosition({ consumer: 'agent', stream: 'inputs' })).toMatchObject({
      position: 0,
      result: { worker: 'a' },
    });
    const bad = await server.post('/v1/steps', { consumer: '', input: { stream: 'inputs', offset: 0 } });
    expect(bad.status).toBe(400);
  });

  test('follow each other without a gap and without a part done twice, in whatever pieces they come', () => {
    const piece = fc.tuple(fc.nat(12), fc.nat(4)).map(([from, more]) => ({ from, offset: from + more }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), pieces => {
        let position = -1;
        const done: number[] = [];
        for (const each of pieces) {
          try {
            if (planStep(position, each) === 'done') continue;
          } catch (error) {
            expect(isTailwaterError(error, 'TW_OUT_OF_ORDER_SEQUENCE', 'TW_VERSION_MISMATCH')).toBe(true);
            continue;
          }
          for (let offset = each.from; offset <= each.offset; offset++) done.push(offset);
          position = each.offset;
        }
        expect(done).toEqual(done.map((_, at) => at));
      }),
    );
  });
});

interface Work {
  inputs: number;
  /** How many calls of the store each life makes; the last life has no end. */
  lives: number[];
  seed: number;
  /** Results by input, of every answer that anyone got. */
  told: Map<number, unknown[]>;
}

/** A worker on a node of its own, which is opened anew after each death, and repeats each step until it has an answer. */
async function workUntilDone(name: string, truth: ObjectStore, dataDir: string, work: Work): Promise<void> {
  const random = seededRandom(work.seed + name.length + name.charCodeAt(0));
  for (;;) {
    const lifetime = new Lifetime(work.lives.shift() ?? Number.POSITIVE_INFINITY, random);
    const faulty = new FaultyObjectStore(truth, systemClock, random, { lostReply: 0.15, lostRequest: 0.1, error: 0.02 });
    const engine = await openSharedNode(mortal(faulty, lifetime), dataDir).catch(passing);
    if (engine === false) continue;
    try {
      while (!lifetime.ended) if (await workOn(engine, name, work)) return;
    } finally {
      await engine.close().catch(() => {});
    }
  }
}

/** What a failing store and a death bring about; anything else is a fault of the steps. */
function passing(error: unknown): false {
  if (isTailwaterError(error, 'TW_CLOSED', 'TW_STORAGE_UNAVAILABLE', 'TW_OUTCOME_UNKNOWN', 'TW_SHARD_STOPPED')) return false;
  throw error;
}

/** True when there is nothing left to do. Whatever fails is done again: from the position, or one input before it. */
async function workOn(engine: Engine, name: string, { inputs, told }: Work): Promise<boolean> {
  try {
    const { position } = await engine.steps.stepPosition({ consumer: 'agent', stream: 'inputs' });
    for (let offset = Math.max(0, position); offset < inputs; offset++) {
      const answer: StepAnswer = await engine.steps.step(stepOf(name, offset));
      told.set(offset, [...(told.get(offset) ?? []), answer.result]);
    }
    return true;
  } catch (error) {
    return passing(error);
  }
}
