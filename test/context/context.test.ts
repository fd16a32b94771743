import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { type ContextRequest, count, type EngineOptions, featureView, sum, type TailwaterApi } from '../../src/index.ts';
import { problemOf, startServer } from '../server/http-support.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';

const START_MS = 1_767_225_600_000;
const EMBED = { provider: 'hash' as const, fields: ['body'] };

/** A clock that a test sets; timers are the system's. */
function setClock(): NonNullable<EngineOptions['clock']> & { now: number } {
  const clock = { ...systemClock, now: START_MS, nowMs: (): number => clock.now };
  return clock;
}

const ASK: ContextRequest = {
  subject: 'ann',
  query: 'late parcel',
  include: {
    features: { view: 'activity' },
    rows: { stream: 'users' },
    events: { stream: 'clicks', subjectField: 'user', limit: 5 },
    documents: { stream: 'help', limit: 3 },
  },
  budget: { tokens: 2000 },
};

async function prepare(api: TailwaterApi): Promise<void> {
  await api.createStream('clicks', { kind: 'append' });
  await api.createStream('users', { kind: 'upsert', key: 'id' });
  await api.createStream('help', { kind: 'upsert', key: 'id', search: { fields: ['body'] }, embed: EMBED });
  await api.features.apply(
    featureView('activity', {
      source: 'clicks',
      entity: 'user',
      features: { clicks_5m: count().over('5m'), spend: sum('amount').lifetime().default(0) },
    }),
  );
  await api.append('users', [{ value: { id: 'ann', city: 'Oslo' } }, { value: { id: 'bob', city: 'Rome' } }]);
  await api.append('help', [
    { value: { id: 'd1', body: 'What to do when a parcel is late' } },
    { value: { id: 'd2', body: 'How to change the address of a parcel' } },
    { value: { id: 'd3', body: 'Opening hours' } },
  ]);
  await click(api, 'ann', 5);
  await click(api, 'bob', 7);
}

function click(
  api: TailwaterApi,
  user: string,
  amount: number,
  time = new Date(START_MS - 1000).toISOString(),
): Promise<unknown> {
  return api.append('clicks', [{ time, value: { user, amount } }]);
}

async function answers(api: TailwaterApi): Promise<void> {
  await prepare(api);
  const answer = await api.context(ASK);
  expect(answer.items.map(({ kind, tier, trust }) => [kind, tier, trust])).toEqual([
    ['features', 'feature', 'untrusted'],
    ['rows', 'tail', 'untrusted'],
    ['events', 'tail', 'untrusted'],
    ['documents', 'tail', 'untrusted'],
    ['documents', 'tail', 'untrusted'],
    ['documents', 'tail', 'untrusted'],
  ]);
  expect(answer.items[0].value).toEqual({ clicks_5m: 1, spend: 5 });
  expect(answer.items[1].value).toMatchObject({ city: 'Oslo' });
  expect(answer.items[3]).toMatchObject({ value: { id: 'd1' }, ranks: { text: 1 }, citation: 4 });
  expect(answer).toMatchObject({ complete: true, dropped: [], tokenizer: 'o200k_base' });
  expect(answer.tokens).toBe(countTokens(answer.text));
  expect(answer.text).toContain('[4] stream "help" 0:0, key "d1", tail');
  expect(answer.freshness.map(({ leg }) => leg)).toEqual(['features:activity', 'rows:users', 'events:clicks', 'documents:help']);
  await click(api, 'ann', 2);
  expect((await api.context(ASK)).items[0].value).toEqual({ clicks_5m: 2, spend: 7 });
  expect(JSON.stringify(await api.context({ ...ASK, consistency: { asOf: answer.token } }))).toBe(JSON.stringify(answer));
}

/** Of the two new documents, which are about equally near, one is in the table and one in the tail, and both in the table later. */
const TWO_TIERS_OF_NEAR_TIES = ['help', 'compact', 'help', 'ask', 'click', 'compact', 'click', 'click', 'click', 'click'];

describe('a context', () => {
  test('has every leg at one instant, and is the same again by its token', () => withEngine(answers, { clock: setClock() }));

  test('answers the same over HTTP', () =>
    withEngine(
      async tailwater => {
        await using server = await startServer(tailwater.engine);
        await answers(new TailwaterClient({ url: server.url }));
      },
      { clock: setClock() },
    ));

  test('given again by its token is the same bytes, whatever is appended, replaced, deleted and compacted meanwhile', {
    timeout: 120_000,
  }, async () => {
    const step = fc.constantFrom('click', 'late click', 'user', 'help', 'forget', 'compact', 'time', 'ask');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 14 }), async steps => {
        const clock = setClock();
        await withEngine(
          async tailwater => {
            await prepare(tailwater);
            const asked = [await tailwater.context(ASK)];
            for (const [at, name] of steps.entries()) {
              if (name === 'click') await click(tailwater, 'ann', at, new Date(clock.now).toISOString());
              if (name === 'late click') await click(tailwater, 'ann', at, new Date(START_MS - 60_000).toISOString());
              if (name === 'user') await tailwater.append('users', [{ value: { id: 'ann', city: `c${at}` } }]);
              if (name === 'help') await tailwater.append('help', [{ value: { id: `d${at % 4}`, body: `a late parcel ${at}` } }]);
              if (name === 'forget') await tailwater.deleteRow('help', 'd1');
              if (name === 'compact') for (const stream of ['clicks', 'users', 'help']) await tailwater.compact(stream);
              if (name === 'time') clock.now += 45_000;
              if (name === 'ask') asked.push(await tailwater.context(ASK));
            }
            for (const answer of asked) {
              const again = await tailwater.context({ ...ASK, consistency: { asOf: answer.token } });
              expect(JSON.stringify(again)).toBe(JSON.stringify(answer));
            }
          },
          { clock },
        );
      }),
      { numRuns: 8, examples: [[TWO_TIERS_OF_NEAR_TIES]] },
    );
  });

  test('of an instant that is no longer kept says so', () =>
    withEngine(
      async tailwater => {
        await prepare(tailwater);
        const early = await tailwater.context(ASK);
        for (let round = 0; round < 3; round++) {
          await tailwater.append('users', [{ value: { id: 'ann', city: `c${round}` } }]);
          await click(tailwater, 'ann', round);
          for (const stream of ['clicks', 'users', 'help']) await tailwater.compact(stream, { full: true });
        }
        await tailwater.collect();
        const now = await tailwater.context(ASK);
        for (const asOf of [early.token, new Date(START_MS - 1).toISOString()]) {
          const asked = tailwater.context({ ...ASK, consistency: { asOf } });
          await expect(asked, asOf).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
        }
        expect(JSON.stringify(await tailwater.context({ ...ASK, consistency: { asOf: now.token } }))).toBe(JSON.stringify(now));
      },
      { clock: setClock(), collection: { auto: false, graceMs: 0, historySlack: 0, logHistoryMs: 0 } },
    ));

  test('is defined by name, typed and versioned', () =>
    withEngine(async tailwater => {
      await prepare(tailwater);
      await using server = await startServer(tailwater.engine);
      const client = new TailwaterClient({ url: server.url });
      const definition = {
        parameters: { user: { type: 'string' }, limit: { type: 'integer', default: 1 } },
        context: {
          subject: { $param: 'user' },
          include: { events: { stream: 'clicks', subjectField: 'user', limit: { $param: 'limit' } }, rows: { stream: 'users' } },
          budget: { tokens: 1000 },
        },
      };
      const { version } = await client.contexts.apply('support', definition);
      expect(await client.contexts.apply('support', definition)).toMatchObject({ version, past: [] });
      const answer = await client.contexts.call('support', { params: { user: 'bob' } });
      expect(answer.items.map(({ value }) => value)).toMatchObject([{ city: 'Rome' }, { amount: 7 }]);
      for (const params of [{}, { user: 5 }, { user: 'bob', more: 1 }]) {
        await expect(client.contexts.call('support', { params })).rejects.toMatchObject({ code: 'TW_CONTEXT_PARAMETERS' });
      }
      const changed = await client.contexts.apply('support', { ...definition, description: 'For support' });
      expect(changed.past.map(past => past.version)).toEqual([version]);
      expect((await client.contexts.call('support', { params: { user: 'bob' }, version })).items).toHaveLength(2);
      expect((await client.contexts.list()).map(({ name }) => name)).toEqual(['support']);
      await client.contexts.remove('support');
      await expect(client.contexts.get('support')).rejects.toMatchObject({ code: 'TW_CONTEXT_NOT_FOUND' });
    }));

  test('refuses what is wrong before it reads, by a code', () =>
    withEngine(async tailwater => {
      await prepare(tailwater);
      await using server = await startServer(tailwater.engine);
      const codeOf = async (request: object): Promise<string> =>
        (await problemOf(await server.post('/v1/context', request))).code;
      const { include } = ASK;
      expect(await codeOf({ ...ASK, budget: { tokens: 20 } })).toBe('TW_CONTEXT_BUDGET');
      expect(await codeOf({ ...ASK, more: 1 })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ ...ASK, include: { ...include, events: { stream: 'none' } } })).toBe('TW_STREAM_NOT_FOUND');
      expect(await codeOf({ ...ASK, include: { features: { view: 'none' } } })).toBe('TW_VIEW_NOT_FOUND');
      expect(await codeOf({ ...ASK, include: { rows: { stream: 'clicks' } } })).toBe('TW_NOT_UPSERT');
      expect(await codeOf({ ...ASK, include: { documents: { stream: 'users' } } })).toBe('TW_NOT_SEARCHABLE');
      expect(await codeOf({ ...ASK, include: { events: { stream: 'clicks', limits: 1 } } })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ ...ASK, filters: { help: { $no: 1 } } })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ ...ASK, filters: { other: {} } })).toBe('TW_BAD_REQUEST');
      expect(await codeOf({ ...ASK, consistency: { asOf: 'nonsense' } })).toBe('TW_BAD_TOKEN');
      expect(await codeOf({ ...ASK, include: {} })).toBe('TW_BAD_REQUEST');
    }));
});
