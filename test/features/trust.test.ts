import { describe, expect, test } from 'vitest';
import { type JsonObject, seededRandom, systemClock } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { parseDefinition, type SkewReport } from '../../src/features/index.ts';
import { psi, stabilityIndex } from '../../src/features/trust/psi.ts';
import { count, type EngineOptions, featureView, last, sum, type Tailwater } from '../../src/index.ts';
import { startServer } from '../server/http-support.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';
import { Draw } from './draw.ts';

const START_MS = 1_767_225_600_000;

function setClock(): NonNullable<EngineOptions['clock']> & { now: number } {
  const clock = { ...systemClock, now: START_MS, nowMs: (): number => clock.now };
  return clock;
}

function at(ms: number): string {
  return new Date(START_MS + ms).toISOString();
}

const spending = featureView('spending', {
  source: 'orders',
  entity: 'user',
  features: { n: count().lifetime(), spend_1h: sum('amount').over('1h'), page: last<string>('page').lifetime() },
});

async function historyOf(tailwater: Tailwater, kind: 'append' | 'upsert', seed: number, clock: { now: number }, steps: number) {
  const draw = new Draw(seededRandom(seed));
  const definition = parseDefinition(JSON.parse(JSON.stringify({ ...draw.definition(), history: '1h' })));
  await tailwater.createStream('events', { kind, partitions: 3 });
  await tailwater.features.apply({ name: 'view', definition });
  const write = async (count: number, eachStep: () => Promise<unknown> = async () => {}): Promise<void> => {
    for (let seq = 1; seq <= count; seq++) {
      // Zero: several commits and answers in one millisecond.
      clock.now += draw.of([0, 0, draw.int(1, 2000)]);
      const event = draw.event(seq, clock.now);
      if (kind === 'append') event.value ??= draw.value();
      await tailwater.append('events', [{ key: event.key!, time: event.timeMs, value: event.value }]);
      if (draw.chance(0.05)) await tailwater.compact('events');
      await eachStep();
    }
  };
  await write(steps);
  return { draw, write };
}

describe('a dataset', () => {
  test.each(['append', 'upsert'] as const)(
    'of an %s stream is rebuilt byte for byte, whatever is written, compacted and changed meanwhile',
    async kind => {
      for (let seed = 1; seed <= 2; seed++) {
        const clock = setClock();
        await withEngine(
          async tailwater => {
            const { draw, write } = await historyOf(tailwater, kind, seed, clock, 60);
            const rows = Array.from({ length: 20 }, () => ({
              user: draw.of(['u1', 'u2', '3']),
              time: clock.now - draw.int(0, 90_000),
            }));
            const asSeen = draw.chance(0.5);
            const saved = await tailwater.features.historical({ views: ['view'], rows, asSeen, saveAs: 'spring' });
            const bytes = saved.rows.map(row => `${JSON.stringify(row)}\n`).join('');
            await write(40);
            const { version } = await tailwater.features.get('view');
            await tailwater.features.apply(
              {
                name: 'view',
                definition: { source: 'events', entity: 'user', features: { other: { aggregate: 'count', window: 'lifetime' } } },
              },
              { replaces: version },
            );
            await tailwater.compact('events', { full: true });
            expect(await tailwater.features.rebuild('spring')).toBe(bytes);
            expect(await tailwater.features.datasets()).toEqual([saved.dataset]);
          },
          { clock },
        );
      }
    },
  );

  test.each(['append', 'upsert'] as const)(
    'of an %s stream keeps its records from expiry, compaction and collection until it is deleted; without them it says so',
    async kind => {
      const clock = setClock();
      const collection = { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 };
      await withEngine(
        async tailwater => {
          const kept = kind === 'append' ? { retention: 'P1D' } : { key: 'user', history: 'PT2H' };
          await tailwater.createStream('orders', { kind, ...kept });
          const features = {
            n: { aggregate: 'count', window: { sliding: '1h' } },
            spend: { aggregate: 'sum', field: 'amount', window: { sliding: '3h' } },
          };
          await tailwater.features.apply({ name: 'recent', definition: { source: 'orders', entity: 'user', features } });
          for (const [user, amount] of [
            ['ann', 1],
            ['bob', 2],
            ['ann', 4],
          ] as const) {
            clock.now += 60_000;
            await tailwater.append('orders', [{ time: new Date(clock.now).toISOString(), value: { user, amount } }]);
          }
          const rows = [1, 3, 90].flatMap(minutes =>
            ['ann', 'bob'].map(user => ({ user, time: new Date(START_MS + minutes * 60_000).toISOString() })),
          );
          const save = (saveAs: string) => tailwater.features.historical({ views: ['recent'], rows, saveAs });
          const saved = await save('spring');
          const bytes = saved.rows.map(row => `${JSON.stringify(row)}\n`).join('');
          expect(saved.rows[2].spend).toBe(kind === 'append' ? 5 : 4);
          await save('summer');
          for (let round = 0; round < 3; round++) {
            clock.now += 25 * 3_600_000;
            await tailwater.append('orders', [{ value: { user: 'ann', amount: 100 } }]);
            await tailwater.compact('orders', { full: true });
            expect((await tailwater.collect({ thorough: true })).problems).toEqual([]);
          }
          expect(await tailwater.features.rebuild('spring')).toBe(bytes);
          expect((await tailwater.listTags('orders')).map(({ name }) => name.split('.').slice(0, 2))).toEqual([
            ['dataset', 'spring'],
            ['dataset', 'summer'],
          ]);
          await tailwater.features.removeDataset('spring');
          await tailwater.collect({ thorough: true });
          expect(await tailwater.features.rebuild('summer')).toBe(bytes);
          const [{ name }] = await tailwater.listTags('orders');
          await tailwater.deleteTag('orders', name);
          await tailwater.collect({ thorough: true });
          await expect(tailwater.features.rebuild('summer')).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
        },
        { clock, collection },
      );
    },
  );

  test('of a stream without records, and of several views of one stream', () =>
    withEngine(
      async tailwater => {
        await tailwater.createStream('orders', { kind: 'append' });
        await tailwater.features.apply(spending);
        await tailwater.features.apply({ name: 'other', definition: spending.definition });
        const request = { views: ['spending', 'other'], rows: [{ user: 'ann', time: at(0) }] };
        const empty = await tailwater.features.historical({ ...request, saveAs: 'empty' });
        await tailwater.append('orders', [{ time: at(-1000), value: { user: 'ann', amount: 2 } }]);
        expect(empty.rows[0]).toMatchObject({ 'spending.n': 0, 'other.n': 0 });
        expect(await tailwater.features.rebuild('empty')).toBe(`${JSON.stringify(empty.rows[0])}\n`);
        const full = await tailwater.features.historical({ ...request, saveAs: 'full', label: 'churn' });
        expect(full).toMatchObject({ rows: [{ 'spending.n': 1, 'other.n': 1 }], warnings: expect.any(Array) });
        expect(await tailwater.listTags('orders')).toHaveLength(1);
        await tailwater.features.removeDataset('full');
        await tailwater.features.removeDataset('empty');
        expect(await tailwater.listTags('orders')).toEqual([]);
      },
      { clock: setClock() },
    ));

  test('keeps its name, over HTTP as in this process', () =>
    withEngine(
      async tailwater => {
        await using server = await startServer(tailwater.engine);
        const { features } = new TailwaterClient({ url: server.url });
        await tailwater.createStream('orders', { kind: 'append' });
        await features.apply(spending);
        await tailwater.append('orders', [{ time: at(-1000), value: { user: 'ann', amount: 2 } }]);
        const request = { views: ['spending'], rows: [{ user: 'ann', time: at(0) }], saveAs: 'spring' };
        const { dataset } = await features.historical(request);
        expect((await features.historical(request)).dataset).toEqual(dataset);
        await expect(features.historical({ ...request, rows: [] })).rejects.toMatchObject({ code: 'TW_DATASET_EXISTS' });
        await expect(features.historical({ ...request, saveAs: '../up' })).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
        expect(await features.rebuild('spring')).toBe(`{"user":"ann","time":"${at(0)}","n":1,"spend_1h":2,"page":null}\n`);
        expect(await features.dataset('spring')).toEqual(dataset);
        await features.removeDataset('spring');
        await expect(features.rebuild('spring')).rejects.toMatchObject({ code: 'TW_DATASET_NOT_FOUND' });
        expect(await features.datasets()).toEqual([]);
      },
      { clock: setClock() },
    ));
});

describe('logged answers', () => {
  test.each(['append', 'upsert'] as const)(
    'of an %s stream equal training rows as seen, also of commits within one millisecond; a planted defect is found',
    async kind => {
      for (let seed = 11; seed <= 12; seed++) {
        const clock = setClock();
        await withEngine(
          async tailwater => {
            const { draw, write } = await historyOf(tailwater, kind, seed, clock, 1);
            await tailwater.features.logAnswers('view', 1);
            await write(100, () => tailwater.features.online('view', { entities: [draw.of(['u1', 'u2', '3']), 'nobody'] }));
            const report = await tailwater.features.skew('view');
            expect(report).toMatchObject({ answers: 200, unknownVersions: 0, differences: 0, examples: [] });
            expect(report.compared).toBeGreaterThanOrEqual(200);
            await plant(tailwater, clock);
            const found: SkewReport = await tailwater.features.skew('view');
            expect(found.differences).toBe(1);
            expect(found.examples[0]).toMatchObject({ entity: 'nobody', online: 12345 });
          },
          { clock },
        );
      }
    },
  );

  /** An answer that the engine did not give: one value is another. */
  async function plant(tailwater: Tailwater, clock: { now: number }): Promise<void> {
    const { records } = await tailwater.read('view.answers', { limit: 1000 });
    const { value } = records.findLast(record => (record.value as JsonObject).entity === 'nobody')!;
    const answer = value as JsonObject & { values: JsonObject };
    const [feature] = Object.keys(answer.values);
    const values = { ...answer.values, [feature]: 12345 };
    await tailwater.append('view.answers', [{ time: clock.now, value: { ...answer, values } }]);
  }

  test('stay for a retention of their own, and are compared while they do', async () => {
    const clock = setClock();
    await withEngine(
      async tailwater => {
        await tailwater.createStream('orders', { kind: 'append' });
        await tailwater.features.apply(spending);
        await tailwater.features.logAnswers('spending', 1);
        const ask = async (): Promise<void> => {
          await tailwater.features.online('spending', { entities: ['ann'] });
          expect((await tailwater.features.skew('spending')).differences).toBe(0);
        };
        await ask();
        expect((await tailwater.getStream('spending.answers')).definition.retentionMs).toBe(7_200_000);
        clock.now += 3 * 7_200_000;
        await ask();
        await tailwater.compact('spending.answers', { full: true });
        expect(await tailwater.features.skew('spending')).toMatchObject({ answers: 1, differences: 0 });
      },
      { clock, answersRetentionMs: 7_200_000 },
    );
  });

  test('are as many as asked for, none of named instants, and never fail an answer', () =>
    withEngine(
      async tailwater => {
        await tailwater.createStream('orders', { kind: 'append' });
        await tailwater.features.apply(spending);
        const ask = () => tailwater.features.online('spending', { entities: ['ann'] });
        await ask();
        await expect(tailwater.features.logAnswers('spending', 2)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
        await expect(tailwater.features.logAnswers('other', 1)).rejects.toMatchObject({ code: 'TW_VIEW_NOT_FOUND' });
        await tailwater.features.logAnswers('spending', 1);
        await ask();
        await tailwater.features.online('spending', { entities: ['ann'], asOf: at(-1) });
        expect((await tailwater.features.skew('spending')).answers).toBe(1);
        await tailwater.deleteStream('spending.answers');
        expect((await ask()).entities).toHaveLength(1);
        await expect(tailwater.features.skew('spending')).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
        expect(await tailwater.metrics()).toMatch(/tailwater_feature_answers_dropped 1\n/);
      },
      { clock: setClock() },
    ));
});

describe('the search for leakage', () => {
  test('names each way in which a row knows its label, and is silent where none does', async () => {
    const clock = setClock();
    await withEngine(
      async tailwater => {
        await tailwater.createStream('orders', { kind: 'append' });
        const features = {
          n: { aggregate: 'count', window: { sliding: '1h' } },
          before: { aggregate: 'count', window: { sliding: '1h', bounds: '[)' } },
          churned: { aggregate: 'last', field: 'churn', window: 'lifetime' },
        };
        await tailwater.features.apply({ name: 'risk', definition: { source: 'orders', entity: 'user', features } });
        await tailwater.append('orders', [
          { time: at(-10_000), value: { user: 'ann' } },
          { time: at(-10_000), value: { user: 'bob' } },
        ]);
        const lint = (rows: JsonObject[], more: JsonObject = {}) =>
          tailwater.features.lint({ views: ['risk'], rows, label: 'churn', ...more });
        const codes = (found: Awaited<ReturnType<typeof lint>>) =>
          found.map(({ code, feature, examples }) => [code, feature, examples]);
        const byDefinition = ['target_among_inputs', 'churned', []];
        expect(codes(await lint([{ user: 'ann', time: at(1), churn: 1 }]))).toEqual([byDefinition]);
        // Known only since now, though it happened before.
        expect(
          codes(
            await lint([
              { user: 'ann', time: at(-20_000) },
              { user: 'ann', time: at(-5000) },
            ]),
          ),
        ).toEqual([byDefinition, ['ingested_after_label', 'n', [1]], ['ingested_after_label', 'before', [1]]]);
        expect(codes(await lint([{ user: 'ann', time: at(-5000) }], { asSeen: true }))).toEqual([byDefinition]);
        expect(
          codes(
            await lint(
              [
                { user: 'eve', time: at(-10_000) },
                { user: 'bob', time: at(-10_000) },
              ],
              { asSeen: true },
            ),
          ),
        ).toEqual([['label_event_in_window', 'n', [1]], byDefinition]);
        const { warnings } = await tailwater.features.historical({ views: ['risk'], rows: [], label: 'other' });
        expect(warnings).toEqual([]);
      },
      { clock },
    );
  });
});

describe('drift', () => {
  const shares = (...values: number[]) => new Map(values.map((share, bin) => [String(bin), share]));

  test('is the sum by hand', () => {
    expect(stabilityIndex(shares(0.5, 0.5), shares(0.5, 0.5))).toBe(0);
    // -0.25 ln 0.5 + 0.25 ln 1.5
    expect(stabilityIndex(shares(0.5, 0.5), shares(0.25, 0.75))).toBeCloseTo(0.274653072167, 11);
    // 0.5 ln 2 + (0.0001 - 0.5) ln 0.0002
    expect(stabilityIndex(shares(0.5, 0.5), shares(1, 0))).toBeCloseTo(4.60431846667, 10);
  });

  test('has bins at the deciles of numbers, and one for each text', () => {
    const ten = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    expect(psi(ten, [...ten, null])).toBe(0);
    // Every value in the top bin: 0.9 ln 10 + 9 (0.0001 - 0.1) ln 0.001
    expect(psi(ten, [10, 11, 12])).toBeCloseTo(0.9 * Math.log(10) + 9 * (0.0001 - 0.1) * Math.log(0.001), 10);
    expect(psi(['a', 'a', 'b', 'b'], ['a', 'b', 'b', 'b'])).toBeCloseTo(0.274653072167, 11);
    expect(psi([null], [1])).toBeNull();
    expect(psi([7, 7], [])).toBeNull();
  });
});

describe('the report of a view', () => {
  test('has nulls, drift and age beside a day before or a dataset, and is in the metrics', async () => {
    const clock = setClock();
    await withEngine(
      async tailwater => {
        await tailwater.createStream('orders', { kind: 'append' });
        await tailwater.features.apply(spending);
        const write = (user: string, ms: number, amount: number) => ({ time: at(ms), value: { user, amount } });
        await tailwater.append('orders', [write('ann', -86_401_000, 1), write('bob', -86_400_500, 1), write('ann', -500, 9)]);
        const rows = ['ann', 'bob'].map(user => ({ user, time: at(-86_400_000) }));
        await tailwater.features.historical({ views: ['spending'], rows, saveAs: 'base' });
        const day = await tailwater.features.report('spending');
        expect(day).toMatchObject({ view: 'spending', entities: 2 });
        expect(day.features[1]).toMatchObject({ feature: 'spend_1h', nullRate: 0.5, baselineNullRate: 0 });
        expect(day.features[1].maxAgeMs).toBe(Date.parse(day.asOf) - START_MS + 500);
        expect(day.features[0].maxAgeMs! - day.features[0].medianAgeMs!).toBe(86_400_000);
        expect(day.baseline).toBe(new Date(Date.parse(day.asOf) - 86_400_000).toISOString());
        expect(day.features[2]).toMatchObject({ nullRate: 1, psi: null, maxAgeMs: null });
        const based = await tailwater.features.report('spending', { baseline: 'base' });
        expect(based.features.map(({ psi: drift }) => drift)).toEqual(day.features.map(({ psi: drift }) => drift));
        expect(await tailwater.metrics()).toContain('tailwater_feature_null_rate{view="spending",feature="spend_1h"} 0.5\n');
      },
      { clock },
    );
  });
});
