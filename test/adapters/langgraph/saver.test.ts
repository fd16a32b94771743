import {
  Annotation,
  type BaseCheckpointSaver,
  Command,
  END,
  interrupt,
  MemorySaver,
  START,
  StateGraph,
} from '@langchain/langgraph';
import { validate } from '@langchain/langgraph-checkpoint-validation';
import * as vitest from 'vitest';
import { TailwaterSaver } from '../../../src/adapters/langgraph/index.ts';
import { type TestEngine, temporaryEngine } from '../../server/engine-support.ts';
import { PLACES, withApi } from '../langchain/support.ts';

const { describe, expect, test } = vitest;
let engine: TestEngine;
let made = 0;

/** LangGraph's own suite for checkpointers; it looks for its test functions where Jest has them. */
Object.assign(globalThis, vitest);
validate({
  checkpointerName: 'TailwaterSaver',
  beforeAll: async () => {
    engine = await temporaryEngine();
  },
  afterAll: async () => await engine[Symbol.asyncDispose](),
  createCheckpointer: () => new TailwaterSaver({ client: engine.tailwater, stream: `checkpoints-${made++}` }),
});

const State = Annotation.Root({
  steps: Annotation<string[]>({ reducer: (before, after) => before.concat(after), default: () => [] }),
  approved: Annotation<boolean>(),
});

const graph = new StateGraph(State)
  .addNode('draft', () => ({ steps: ['draft'] }))
  .addNode('ask', () => ({ approved: interrupt('send it?') as boolean, steps: ['ask'] }))
  .addNode('send', ({ approved }) => ({ steps: [approved ? 'sent' : 'dropped'] }))
  .addEdge(START, 'draft')
  .addEdge('draft', 'ask')
  .addEdge('ask', 'send')
  .addEdge('send', END);

/** A thread that waits for a human, is gone on with by another process, rewound and forked; what was seen on the way. */
async function story(saver: () => BaseCheckpointSaver, meanwhile: () => Promise<unknown>): Promise<unknown[]> {
  const config = { configurable: { thread_id: 'mail' } };
  const seen: unknown[] = [];
  await graph.compile({ checkpointer: saver() }).invoke({ steps: ['start'] }, config);
  await meanwhile();
  const resumed = graph.compile({ checkpointer: saver() });
  const waiting = await resumed.getState(config);
  seen.push(
    waiting.next,
    waiting.tasks[0].interrupts.map(({ value }) => value),
  );
  seen.push(await resumed.invoke(new Command({ resume: true }), config));
  await meanwhile();
  const fork = await resumed.updateState(waiting.config, { approved: false, steps: ['no'] }, 'ask');
  seen.push(await resumed.invoke(null, fork));
  for await (const { values, next, metadata } of resumed.getStateHistory(config)) seen.push([values, next, metadata?.source]);
  seen.push((await resumed.getState({ configurable: { thread_id: 'other' } })).values);
  return seen;
}

describe.each(PLACES)('a graph with TailwaterSaver, %s', place => {
  test('goes on, is rewound and forked as with LangGraph’s own saver, whatever is compacted meanwhile', () =>
    withApi(place, async client => {
      const memory = new MemorySaver();
      const expected = await story(
        () => memory,
        async () => {},
      );
      const saver = () => new TailwaterSaver({ client, stream: 'threads' });
      expect(await story(saver, () => client.compact('threads'))).toEqual(expected);
      expect(expected[2]).toMatchObject({ steps: ['start', 'draft', 'ask', 'sent'] });
      expect(expected[3]).toMatchObject({ steps: ['start', 'draft', 'no', 'dropped'] });
    }));
});
