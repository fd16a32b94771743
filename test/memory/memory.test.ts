import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AgentMemory, type MemoryInput } from '../../src/memory/index.ts';
import { callTool, findTool } from '../../src/tools/index.ts';
import { PLACES, withApi } from '../adapters/langchain/support.ts';

const SLOW_MS = 120_000;

/** Names that would be one if they were joined carelessly. */
const name = fc.constantFrom('ann', 'bob', 'a/b', 'a', 'b/c');
const text = fc.constantFrom('Likes trains.', 'Lives in Oslo.', 'Lives in Bergen.', 'Hates rain.');
const input = fc.record({ text, subject: name, session: name, key: name }, { requiredKeys: ['text'] });
const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('remember' as const), input }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('forget key' as const), key: name, subject: fc.option(name, { nil: undefined }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('forget subject' as const, 'forget session' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const) }) },
);

/** What is kept once, in the words of the guide: by subject and key, else by subject and text. */
const identity = ({ subject, key, text: said }: MemoryInput): string =>
  JSON.stringify(key === undefined ? ['text', subject ?? null, said] : ['key', subject ?? '', key]);

describe.each(PLACES)('the memory of an agent, %s', place => {
  test(
    'is what was remembered last and not forgotten, newest first, whoever asks and whatever is compacted',
    { timeout: SLOW_MS },
    () =>
      withApi(place, async api => {
        let runs = 0;
        await fc.assert(
          fc.asyncProperty(fc.array(action, { maxLength: 14 }), async actions => {
            const memories = `memories-${++runs}`;
            const memory = new AgentMemory({ api, streams: { memories, turns: `turns-${runs}` } });
            const model = new Map<string, MemoryInput>();
            for (const each of actions) {
              if (each.do === 'remember') {
                model.delete(identity(each.input));
                model.set(identity(each.input), each.input);
                await memory.remember(each.input);
              } else if (each.do === 'compact') {
                if (model.size > 0) await api.compact(memories);
              } else {
                const gone = [...model].filter(([, kept]) =>
                  each.do === 'forget key'
                    ? kept.key === each.key && (kept.subject ?? '') === (each.subject ?? '')
                    : (each.do === 'forget subject' ? kept.subject : kept.session) === each.name,
                );
                for (const [id] of gone) model.delete(id);
                const request =
                  each.do === 'forget key'
                    ? { key: each.key, ...(each.subject === undefined ? {} : { subject: each.subject }) }
                    : each.do === 'forget subject'
                      ? { subject: each.name }
                      : { session: each.name };
                expect(await memory.forget(request)).toEqual({ forgotten: gone.length });
              }
            }
            const shown = (kept: MemoryInput[]) => kept.map(({ text: said, subject = null }) => [said, subject]).reverse();
            const all = (await memory.recall({ limit: 100 })).memories;
            expect(all.map(each => [each.text, each.subject])).toEqual(shown([...model.values()]));
            const ofAnn = (await memory.recall({ subject: 'ann', limit: 100 })).memories;
            expect(ofAnn.map(each => [each.text, each.subject])).toEqual(
              shown([...model.values()].filter(({ subject }) => subject === 'ann')),
            );
          }),
          { numRuns: place === 'embedded' ? 25 : 8 },
        );
      }),
  );

  test('finds by meaning what was remembered a moment ago, up to the token of the call, and nothing of others', () =>
    withApi(place, async api => {
      const memory = new AgentMemory({ api });
      expect(await memory.recall({ query: 'trains' })).toEqual({ memories: [], freshness: null, token: null });
      await memory.remember({ subject: 'bob', text: 'Bob loves trains.' });
      await memory.remember({ subject: 'ann', text: 'Ann is allergic to nuts.', attributes: { source: 'chat' } });
      const before = await memory.recall({ subject: 'ann', query: 'does Ann like trains' });
      const { token } = await memory.remember({ subject: 'ann', text: 'Ann prefers trains to planes.' });
      const { memories, freshness } = await memory.recall({
        subject: 'ann',
        query: 'does Ann like trains',
        consistency: { atLeast: token },
      });
      expect(memories.map(each => each.text)).toEqual(['Ann prefers trains to planes.', 'Ann is allergic to nuts.']);
      expect(memories[1]).toMatchObject({ subject: 'ann', attributes: { source: 'chat' }, tier: 'tail' });
      expect(freshness!.complete).toBe(true);
      const then = await memory.recall({ subject: 'ann', query: 'does Ann like trains', consistency: { asOf: before.token! } });
      expect(then.memories.map(each => each.text)).toEqual(['Ann is allergic to nuts.']);
    }));

  test('prefers the newer of two that say nearly the same, unless it is told not to', () =>
    withApi(place, async api => {
      const memory = new AgentMemory({ api });
      await memory.remember({ text: 'The office is in Oslo, in Oslo.', key: 'old' });
      const year = 365 * 24 * 3_600_000;
      const old = new Date(Date.now() - year).toISOString();
      await api.append('memories', [{ time: old, value: { id: 'x', text: 'The office is in Oslo city.' } }]);
      const first = async (recency?: null) =>
        (await memory.recall({ query: 'The office is in Oslo city.', limit: 1, ...(recency === null ? { recency } : {}) }))
          .memories[0].id;
      expect(await first(null)).toBe('x');
      expect(await first()).toBe('/old');
    }));

  test('has the turns of a session in their order, and forgets them', () =>
    withApi(place, async api => {
      const memory = new AgentMemory({ api });
      for (let n = 0; n < 6; n++) {
        await memory.say(
          { session: n % 2 === 0 ? 'even' : 'odd', role: 'user', text: `${n}` },
          { session: 'even', role: 'assistant', text: `re ${n}` },
        );
      }
      await memory.say({ session: 'odd', role: 'user', text: '5', id: 'once' });
      await memory.say({ session: 'odd', role: 'user', text: '5', id: 'once' });
      expect((await memory.turns('even', 4)).map(turn => turn.text)).toEqual(['re 3', '4', 're 4', 're 5']);
      expect((await memory.turns('odd')).map(turn => turn.text)).toEqual(['1', '3', '5', '5']);
      expect(await memory.forget({ session: 'odd' })).toEqual({ forgotten: 4 });
      expect(await memory.turns('odd')).toEqual([]);
      expect(await memory.turns('even')).toHaveLength(9);
    }));

  test('is written with the step or not at all, and once', () =>
    withApi(place, async api => {
      const memory = new AgentMemory({ api });
      await api.createStream('mail', { kind: 'append' });
      await api.append('mail', [{ value: { from: 'ann', text: 'I moved to Bergen.' } }]);
      await api.createStream('replies', { kind: 'append', schema: { type: 'object', required: ['text'] } });
      const step = (reply: object) =>
        memory.step({
          consumer: 'clerk',
          input: { stream: 'mail', offset: 0 },
          outputs: [{ stream: 'replies', records: [{ value: { ...reply } }] }],
          memories: [{ subject: 'ann', key: 'home', text: 'Ann lives in Bergen.' }],
          turns: [{ session: 's', role: 'assistant', text: 'Noted.' }],
          result: 'noted',
        });
      await expect(step({ no: 'text' })).rejects.toMatchObject({ code: 'TW_SCHEMA_MISMATCH' });
      expect([(await memory.recall()).memories, await memory.turns('s')]).toEqual([[], []]);
      const answers = await Promise.all([step({ text: 'one' }), step({ text: 'two' })]);
      expect(answers.map(({ applied }) => applied).sort()).toEqual([false, true]);
      expect(answers.map(({ result }) => result)).toEqual(['noted', 'noted']);
      const { memories } = await memory.recall({ subject: 'ann', consistency: { atLeast: answers[0].token } });
      expect(memories.map(each => each.text)).toEqual(['Ann lives in Bergen.']);
      expect(await memory.turns('s')).toHaveLength(1);
      expect((await api.read('replies')).records).toHaveLength(1);
    }));

  test('is what the tools remember and recall', () =>
    withApi(place, async api => {
      const memory = new AgentMemory({ api });
      const call = async (tool: string, args: object) => {
        const outcome = await callTool(await findTool(api, tool), api, args);
        if (!outcome.ok) throw outcome.error;
        return outcome.structured;
      };
      expect(await call('recall', { query: 'x' })).toMatchObject({ memories: [], complete: true, token: null });
      await expect(call('recall', { stream: 'nowhere' })).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
      await call('remember', { text: 'Ann likes trains.', subject: 'ann' });
      await memory.remember({ text: 'Ann likes trains.', subject: 'ann' });
      await memory.remember({ text: 'Bob likes cars.', subject: 'bob', session: 's1' });
      expect((await memory.recall({ subject: 'ann' })).memories).toHaveLength(1);
      const found = await call('recall', { query: 'likes', session: 's1', halfLifeHours: 1 });
      expect(found).toMatchObject({ memories: [{ value: { text: 'Bob likes cars.' } }], complete: true });
    }));
});
