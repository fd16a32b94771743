import { describe, expect, expectTypeOf, test } from 'vitest';
import { type JsonObject, systemClock } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { count, expression, type FeatureValues, featureView, onDemand, sum, type TailwaterApi } from '../../src/index.ts';
import { startServer } from '../server/http-support.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';

const START_MS = 1_767_225_600_000;
const clock = { ...systemClock, nowMs: () => START_MS };

const stored = featureView('spending', {
  source: 'clicks',
  entity: 'user',
  features: {
    clicks: count().over('1h'),
    spend: sum('amount').over('1h'),
    double: expression<number>('spend * 2'),
  },
});
const base = onDemand(stored, {
  perClick: ({ spend, clicks }, { price }) => ((spend ?? 0) + (typeof price === 'number' ? price : 0)) / clicks,
  label: ({ clicks }) => `${clicks} clicks`,
});
const view = onDemand(base, { longLabel: ({ label, double }) => `${label}, ${double}` });

function at(ms: number): string {
  return new Date(START_MS + ms).toISOString();
}

async function checks(api: TailwaterApi): Promise<void> {
  await api.createStream('clicks', { kind: 'append' });
  await api.features.apply(view);
  await api.append('clicks', [
    { time: at(-2000), value: { user: 'ann', amount: 5 } },
    { time: at(-1000), value: { user: 'ann', amount: 2 } },
  ]);
  const online = await api.features.online(view, {
    entities: ['ann', 'eve'],
    request: [{ price: 3 }, { price: 3 }],
    asOf: at(0),
  });
  expect(online.entities.map(({ values }) => values)).toEqual([
    { clicks: 2, spend: 7, double: 14, perClick: 5, label: '2 clicks', longLabel: '2 clicks, 14' },
    { clicks: 0, spend: null, double: null, perClick: null, label: '0 clicks', longLabel: '0 clicks, null' },
  ]);
  expect(online.entities[0].details.perClick).toEqual({ status: 'present', eventTime: null, ageMs: null });
  expect(online.entities[1].details.perClick.status).toBe('default');
  const rows = ['ann', 'eve'].map(user => ({ user, time: at(0), price: 3 }));
  const training = await api.features.historical({ views: [view], rows });
  expect(training.rows).toEqual(online.entities.map(({ values }, index) => ({ ...rows[index], ...values })));
  const chosen = await api.features.online(view, { entities: ['ann'], features: ['longLabel', 'clicks'], asOf: at(0) });
  expect(chosen.entities[0].values).toEqual({ longLabel: '2 clicks, 14', clicks: 2 });
  await expect(api.features.online(view, { entities: ['ann'], features: ['nothing'] })).rejects.toMatchObject({
    code: 'TW_BAD_REQUEST',
    message: expect.stringContaining('nothing'),
  });
  await expect(api.features.historical({ views: [view], rows: [{ ...rows[0], label: 'mine' }] })).rejects.toMatchObject({
    code: 'TW_SPINE',
  });
  const two = await api.features.historical({ views: [view, 'spending'], rows });
  expect(two.rows[0]).toMatchObject({ 'spending.label': '2 clicks', 'spending.clicks': 2 });
}

async function refusesFunctionsInJson(api: TailwaterApi): Promise<void> {
  await api.createStream('clicks', { kind: 'append' });
  const features: JsonObject = { clicks: { aggregate: 'count', window: { sliding: '1h' } } };
  for (const bad of [() => 1, { compute: () => 1 }, { expression: () => 1 }]) {
    const definition = { source: 'clicks', entity: 'user', features: { ...features, bad } };
    const input = { name: 'v', definition } as unknown as Parameters<typeof api.features.apply>[0];
    for (const call of [() => api.features.apply(input), () => api.features.plan(input)]) {
      await expect(call()).rejects.toMatchObject({
        code: 'TW_VIEW_DEFINITION',
        message: expect.stringContaining('features.bad'),
      });
    }
  }
  const text = { source: 'clicks', entity: 'user', features: { ...features, bad: { compute: '() => 1' } } };
  await expect(api.features.apply({ name: 'v', definition: text })).rejects.toMatchObject({ code: 'TW_VIEW_DEFINITION' });
  const circle = { ...features, a: { expression: 'b + 1' }, b: { expression: 'a + 1' } };
  await expect(
    api.features.apply({ name: 'v', definition: { source: 'clicks', entity: 'user', features: circle } }),
  ).rejects.toMatchObject({ code: 'TW_VIEW_DEFINITION', message: expect.stringContaining('a -> b -> a') });
  expect(await api.features.list()).toEqual([]);
}

describe('features that are functions', () => {
  test('have one value online and in training rows', () => withEngine(checks, { clock }));

  test('have it over HTTP too, where the client runs them', () =>
    withEngine(
      async tailwater => {
        await using server = await startServer(tailwater.engine);
        await checks(new TailwaterClient({ url: server.url }));
      },
      { clock },
    ));

  test('are refused in a definition, as circles are, before anything changes', () =>
    withEngine(
      async tailwater => {
        await refusesFunctionsInJson(tailwater);
        await using server = await startServer(tailwater.engine);
        const client = new TailwaterClient({ url: server.url });
        await client.deleteStream('clicks');
        await refusesFunctionsInJson(client);
      },
      { clock },
    ));

  test('cannot take a name, or be used by an expression, which they might use', () => {
    expect(() => onDemand(stored, { clicks: () => 1 })).toThrow('onDemand.clicks is the name of another feature');
    expect(() => onDemand(base, { label: () => 1 })).toThrow('onDemand.label is the name of another feature');
    const using = featureView('v', {
      source: 's',
      entity: 'e',
      features: { clicks: count().over('1h'), twice: expression('score * 2') },
    });
    expect(() => onDemand(using, { score: ({ clicks }) => clicks })).toThrow('onDemand.score is used by features.twice');
  });

  test('say which one threw', () =>
    withEngine(
      async tailwater => {
        await tailwater.createStream('clicks', { kind: 'append' });
        await tailwater.features.apply(stored);
        const failing = onDemand(stored, {
          broken: (): number => {
            throw new Error('no luck');
          },
        });
        await expect(tailwater.features.online(failing, { entities: ['ann'] })).rejects.toMatchObject({
          code: 'TW_VIEW_DEFINITION',
          message: expect.stringMatching(/broken.*no luck/),
        });
      },
      { clock },
    ));

  test('have types that follow from them', () => {
    type Values = FeatureValues<typeof view>;
    expectTypeOf<Values['perClick']>().toEqualTypeOf<number | null>();
    expectTypeOf<Values['longLabel']>().toEqualTypeOf<string | null>();
    expectTypeOf<Values['clicks']>().toEqualTypeOf<number>();
  });
});
