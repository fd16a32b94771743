import { describe, expect, test } from 'vitest';
import { TailwaterError, utf8 } from '../../src/base/index.ts';
import { ContextAssembler } from '../../src/context/index.ts';
import type { Tokenizer } from '../../src/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

type Options = ConstructorParameters<typeof ContextAssembler>[0];
type SearchAt = Options['searcher']['searchAt'];

/** Words: what is counted does not matter here. */
const WORDS: Tokenizer = { name: 'words', count: text => text.split(/\s+/).length };

/** An assembler over streams whose searches do what a test says: `events` by name of the stream. */
function assemblerOf(clock: VirtualClock, searches: Record<string, () => ReturnType<SearchAt>>): ContextAssembler {
  const tail = { heads: [3] };
  const searchAt: SearchAt = pinned => searches[pinned.definition.name]();
  const parts = {
    clock,
    tokenizer: WORDS,
    catalog: {
      require: (name: string) => ({ name, incarnation: name, kind: 'append', partitions: 1, embed: null, search: null }),
    },
    searcher: { searchAt },
    features: { look: async () => {} },
    learnStreams: async () => {},
    pinner: {
      pinAll: async (definitions: StreamDefinition[]) => ({
        shard: 0,
        throughSegment: 7,
        pinned: definitions.map(definition => ({ definition, table: null, tail, shard: 0, throughSegment: 7, throughTimeMs: 5 })),
      }),
    },
  };
  return new ContextAssembler(parts as unknown as Options);
}

async function oneHit(clock: VirtualClock): ReturnType<SearchAt> {
  const value = utf8('{"n":1}');
  const record = { partition: 0, offset: 2, key: null, headers: [], seq: 1, timeMs: 0, ingestedAtMs: clock.nowMs() - 40, value };
  return { hits: [{ record, score: 1, tier: 'tail', ageMs: 0, ranks: {} }], skipped: [] } as Awaited<ReturnType<SearchAt>>;
}

function late(): ReturnType<SearchAt> {
  return new Promise(() => {});
}

async function failing(): ReturnType<SearchAt> {
  throw new TailwaterError('TW_EMBEDDING_FAILED');
}

const ask = (required: boolean, ...streams: string[]) => ({
  include: { events: streams.map(stream => ({ stream, required: required && stream !== 'good' })) },
  budget: { tokens: 500 },
  deadlineMs: 200,
});

describe('a leg', () => {
  test('that is late or fails is named by its code, and takes nothing from the others', async () => {
    const clock = new VirtualClock();
    const assembler = assemblerOf(clock, { good: () => oneHit(clock), slow: late, broken: failing });
    const startMs = clock.nowMs();
    const answer = await clock.run(assembler.assemble(ask(false, 'good', 'slow', 'broken')));
    expect(clock.nowMs() - startMs).toBe(200);
    expect(answer.items).toMatchObject([{ leg: 'events:good', ageMs: 40, source: { offset: 2 }, tier: 'tail' }]);
    expect(answer.asOf).toBe(new Date(startMs).toISOString());
    expect(answer.freshness.map(({ status, error }) => [status, error?.code])).toEqual([
      ['ok', undefined],
      ['failed', 'TW_DEADLINE'],
      ['failed', 'TW_EMBEDDING_FAILED'],
    ]);
    expect(answer.complete).toBe(false);
    expect(answer.text).toContain('(TW_DEADLINE)');
    expect(clock.pendingTimers).toBe(0);
  });

  test('that is required fails the call, with its own code beside', async () => {
    const clock = new VirtualClock();
    const assembler = assemblerOf(clock, { good: () => oneHit(clock), broken: failing });
    await expect(clock.run(assembler.assemble(ask(true, 'good', 'broken')))).rejects.toMatchObject({
      code: 'TW_CONTEXT_LEG',
      data: { leg: 'events:broken', code: 'TW_EMBEDDING_FAILED' },
    });
  });
});
