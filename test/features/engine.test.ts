import { describe, expect, test } from 'vitest';
import { type JsonObject, seededRandom, systemClock } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { parseDefinition } from '../../src/features/index.ts';
import { count, type EngineOptions, featureView, last, sum, Tailwater, type TailwaterApi } from '../../src/index.ts';
import { startServer } from '../server/http-support.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';
import { differenceOf } from './compare.ts';
import { Draw } from './draw.ts';
import { Oracle } from './oracle.ts';

const START_MS = 1_767_225_600_000;

const activity = featureView('activity', {
  source: 'clicks',
  entity: 'user',
  features: {
    clicks_5m: count().over('5m'),
    spend: sum('amount').where({ status: 'paid' }).lifetime().default(0),
    page: last<string>('page').over('1h'),
  },
});

/** A clock that a test sets; timers are the system's. */
function setClock(): NonNullable<EngineOptions['clock']> & { now: number } {
  const clock = { ...systemClock, now: START_MS, nowMs: (): number => clock.now };
  return clock;
}

function at(ms: number): string {
  return new Date(START_MS + ms).toISOString();
}

async function answersOf(api: TailwaterApi): Promise<void> {
  await api.createStream('clicks', { kind: 'append' });
  const info = await api.features.apply(activity);
  expect(info).toMatchObject({ name: 'activity', definition: activity.definition, building: null });
  await api.append('clicks', [
    { time: at(-400_000), value: { user: 'ann', page: 'home', amount: 5, status: 'paid' } },
    { time: at(-1000), value: { user: 'ann', page: 'cart', amount: 2, status: 'open' } },
    { time: at(-4_000_000), value: { user: 'bob', page: 'help' } },
  ]);
  const answer = await api.features.online(activity, { entities: ['ann', { user: 'bob' }, 'eve'] });
  expect(answer.entities.map(({ values }) => values)).toEqual([
    { clicks_5m: 1, spend: 5, page: 'cart' },
    { clicks_5m: 0, spend: 0, page: null },
    { clicks_5m: 0, spend: 0, page: null },
  ]);
  const [ann, bob, eve] = answer.entities.map(({ details }) => details);
  expect(ann.spend).toEqual({ status: 'present', eventTime: at(-400_000), ageMs: 400_000 + Date.parse(answer.asOf) - START_MS });
  expect(bob.page.status).toBe('default');
  expect(eve.page).toEqual({ status: 'not_found', eventTime: null, ageMs: null });
  expect(answer.freshness).toMatchObject({ head: [2], complete: true });
  const earlier = await api.features.online(activity, { entities: ['ann'], asOf: at(-100_001), features: ['clicks_5m', 'page'] });
  expect(earlier.entities[0].values).toEqual({ clicks_5m: 1, page: 'home' });
  const service = await api.features.service({
    views: ['activity', { view: 'activity', features: ['page'] }],
    entities: [{ user: 'ann' }],
  });
  expect(service.views.map(({ asOf, entities }) => [asOf, entities[0].values])).toEqual([
    [service.asOf, { clicks_5m: 1, spend: 5, page: 'cart' }],
    [service.asOf, { page: 'cart' }],
  ]);
}

describe('a feature view', () => {
  test('answers in this process', () => withEngine(answersOf, { clock: setClock() }));

  test('answers the same over HTTP', () =>
    withEngine(
      async tailwater => {
        await using server = await startServer(tailwater.engine);
        const client = new TailwaterClient({ url: server.url });
        await answersOf(client);
        expect((await client.features.list()).map(({ name }) => name)).toEqual(['activity']);
        await client.features.remove('activity');
        await expect(client.features.get('activity')).rejects.toMatchObject({ code: 'TW_VIEW_NOT_FOUND' });
      },
      { clock: setClock() },
    ));

  test('includes what was acknowledged before, and goes on after a restart with what came since only', async () => {
    await withEngine(async (tailwater, dataDir) => {
      await tailwater.createStream('clicks', { kind: 'append' });
      await tailwater.features.apply(activity);
      for (let index = 1; index <= 20; index++) {
        const { token } = await tailwater.append('clicks', [{ value: { user: 'ann', amount: 1, status: 'paid' } }]);
        const { entities } = await tailwater.features.online('activity', { entities: ['ann'], consistency: { atLeast: token } });
        expect(entities[0].values.spend).toBe(index);
      }
      await tailwater.close();
      const again = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false } });
      await again.append('clicks', [{ value: { user: 'ann', amount: 1, status: 'paid' } }]);
      const { entities } = await again.features.online('activity', { entities: ['ann'] });
      expect(entities[0].values.spend).toBe(21);
      expect((await again.features.get('activity')).stats.events).toBe(21);
      await again.close();
    });
  });

  test('is not changed under those who read it, and serves on while the new version is built', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('clicks', { kind: 'append' });
      const { version } = await tailwater.features.apply(activity);
      await tailwater.append('clicks', [{ value: { user: 'ann', amount: 3, status: 'open' } }]);
      const changed = {
        name: 'activity',
        definition: {
          ...activity.definition,
          features: { ...activity.definition.features, spend: { aggregate: 'sum', field: 'amount', window: 'lifetime' } },
        } as JsonObject,
      };
      await tailwater.features.online('activity', { entities: ['ann'] });
      const plan = await tailwater.features.plan(changed);
      expect(plan).toMatchObject({
        current: version,
        altersServedValues: true,
        rebuilds: true,
        recordsToRead: 1,
        // At least the bytes of the record's value.
        bytesToRead: expect.toSatisfy((bytes: number) => bytes >= 40 && bytes < 1000),
        sampledEntities: 1,
      });
      expect(plan.changes.filter(({ change }) => change !== 'same')).toEqual([{ feature: 'spend', change: 'changed' }]);
      expect(plan.differences).toEqual([{ entity: 'ann', feature: 'spend', before: 0, after: 3 }]);
      await expect(tailwater.features.apply(changed)).rejects.toMatchObject({ code: 'TW_VIEW_CHANGED', data: { version } });
      await expect(tailwater.features.apply(changed, { replaces: 'other' })).rejects.toMatchObject({ code: 'TW_VIEW_CHANGED' });
      const applied = await tailwater.features.apply(changed, { replaces: version });
      expect(applied.past.map(past => past.version)).toEqual([version]);
      let spend = 0;
      for (let tries = 0; spend !== 3 && tries < 1000; tries++) {
        await systemClock.turn();
        spend = (await tailwater.features.online('activity', { entities: ['ann'] })).entities[0].values.spend as number;
        expect([0, 3]).toContain(spend);
      }
      expect(spend).toBe(3);
    }));

  test.each<[string, JsonObject]>([
    ['TW_BAD_REQUEST', { entities: [null] }],
    ['TW_BAD_REQUEST', { entities: [['a', 'b']] }],
    ['TW_BAD_REQUEST', { entities: ['a'], features: ['nothing'] }],
    ['TW_BAD_REQUEST', { entities: ['a'], asOf: 'yesterday' }],
    ['TW_BAD_REQUEST', { entities: ['a'], request: [{}, {}] }],
    ['TW_HISTORY_EXPIRED', { entities: ['a'], asOf: '2020-01-01' }],
  ])('refuses with %s: %j', (code, request) =>
    withEngine(async tailwater => {
      await tailwater.createStream('clicks', { kind: 'append' });
      await tailwater.features.apply(activity);
      await tailwater.append('clicks', [{ value: { user: 'a' } }]);
      await expect(tailwater.features.online('activity', request as never)).rejects.toMatchObject({ code });
    }),
  );

  test('is refused where its stream does not keep what it needs', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('orders', { kind: 'upsert', key: 'id', history: 'PT90M' });
      await tailwater.createStream('logs', { kind: 'append', retention: 'P1D' });
      const refusal = { code: 'TW_VIEW_DEFINITION' };
      const of = (source: string, window: JsonObject | string, history: string) => ({
        name: 'v',
        definition: { source, entity: 'user', history, features: { n: { aggregate: 'count', window } } },
      });
      await expect(tailwater.features.apply(of('orders', 'lifetime', '31m'))).rejects.toMatchObject(refusal);
      await expect(tailwater.features.apply(of('logs', 'lifetime', '1h'))).rejects.toMatchObject(refusal);
      await expect(tailwater.features.apply(of('logs', { sliding: '24h' }, '1h'))).rejects.toMatchObject(refusal);
      await tailwater.createStream('brief', { kind: 'append', retention: 'P30D', ttl: 'P1D' });
      await tailwater.createStream('small', { kind: 'append', retention: { bytes: 1000 } });
      await tailwater.createStream('dated', { kind: 'append', ttl: { field: 'until' } });
      await expect(tailwater.features.apply(of('brief', { sliding: '24h' }, '1h'))).rejects.toMatchObject(refusal);
      for (const name of ['small', 'dated']) {
        await expect(tailwater.features.apply(of(name, { sliding: '1h' }, '1h'))).rejects.toMatchObject(refusal);
      }
      expect(await tailwater.features.list()).toEqual([]);
      await tailwater.features.apply(of('orders', 'lifetime', '30m'));
      await tailwater.features.apply(of('logs', { sliding: '23h' }, '1h'), {
        replaces: (await tailwater.features.get('v')).version,
      });
    }));

  test('keeps its stream from being changed to keep less than it needs', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('logs', { kind: 'append', retention: 'P2D' });
      await tailwater.createStream('others', { kind: 'append', retention: 'P2D' });
      const { definition } = await tailwater.getStream('logs');
      await tailwater.features.apply({
        name: 'daily',
        definition: {
          source: 'logs',
          entity: 'user',
          history: '1h',
          features: { n: { aggregate: 'count', window: { sliding: '24h' } } },
        },
      });
      const less = [{ retention: 'P1D' }, { ttl: 'PT24H' }, { ttl: { field: 'until' } }, { retention: { bytes: 1000 } }];
      for (const changes of less) {
        await expect(tailwater.changeStream('logs', changes), JSON.stringify(changes)).rejects.toMatchObject({
          code: 'TW_VIEW_DEFINITION',
          data: { view: 'daily' },
        });
        await tailwater.changeStream('others', changes);
      }
      expect((await tailwater.getStream('logs')).definition).toEqual(definition);
      expect((await tailwater.changeStream('logs', { retention: 'PT25H' })).definition.retentionMs).toBe(25 * 3_600_000);
      await tailwater.features.remove('daily');
      expect((await tailwater.changeStream('logs', less[0])).definition.retentionMs).toBe(24 * 3_600_000);
    }));

  test('over a stream of which records have expired is made of the others', async () => {
    const clock = setClock();
    await withEngine(
      async tailwater => {
        await tailwater.createStream('clicks', { kind: 'append', partitions: 2, retention: 'P1D' });
        const write = (users: string[]) =>
          tailwater.append(
            'clicks',
            users.map(user => ({ value: { user } })),
          );
        await write(['ann', 'bob', 'ann', 'eve']);
        await tailwater.compact('clicks', { full: true });
        clock.now += 25 * 3_600_000;
        await write(['ann', 'bob']);
        expect((await tailwater.compact('clicks', { full: true })).state).toMatchObject({ rowCount: 2, expired: { count: 4 } });
        await write(['ann']);
        await tailwater.features.apply({
          name: 'recent',
          definition: {
            source: 'clicks',
            entity: 'user',
            features: { n: { aggregate: 'count', window: { sliding: '1h' } } },
          },
        });
        const { entities } = await tailwater.features.online('recent', { entities: ['ann', 'bob', 'eve'] });
        expect(entities.map(each => each.values.n)).toEqual([2, 1, 0]);
      },
      { clock },
    );
  });

  test('needs its stream, and rows need an entity and a time', () =>
    withEngine(async tailwater => {
      await expect(tailwater.features.apply(activity)).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
      expect(await tailwater.features.list()).toEqual([]);
      await tailwater.createStream('clicks', { kind: 'append' });
      await tailwater.features.apply(activity);
      const rows = (row: JsonObject) =>
        tailwater.features.historical({ views: ['activity'], rows: [{ user: 'a', time: 1 }, row] });
      for (const row of [
        { time: 1 },
        { user: 'a' },
        { user: 'a', time: 1, spend: 2 },
        { user: 'a', time: 'noon' },
        { user: 'a', time: true },
      ]) {
        await expect(rows(row)).rejects.toMatchObject({ code: 'TW_SPINE', data: { row: 1 } });
      }
    }));
});

describe('online answers and training rows', () => {
  test.each(['append', 'upsert'] as const)(
    'of an %s stream are one, whatever is compacted and restarted between: equal to a naive fold, and as seen equal to what was answered',
    async kind => {
      for (let seed = 1; seed <= 4; seed++) await history(kind, seed);
    },
  );

  async function history(kind: 'append' | 'upsert', seed: number): Promise<void> {
    const clock = setClock();
    await withEngine(
      async (first, dataDir) => {
        const draw = new Draw(seededRandom(seed * 31 + (kind === 'upsert' ? 7 : 0)));
        const definition = parseDefinition(JSON.parse(JSON.stringify({ ...draw.definition(), history: '1h' })));
        const oracle = new Oracle(definition, kind === 'upsert');
        let tailwater = first;
        await tailwater.createStream('events', { kind, partitions: 3 });
        await tailwater.features.apply({ name: 'view', definition });
        const answered: { entity: string; asOf: string; values: JsonObject }[] = [];
        for (let seq = 1; seq <= 120; seq++) {
          clock.now += draw.int(1, 2000);
          const event = draw.event(seq, clock.now);
          if (kind === 'append') event.value ??= draw.value();
          await tailwater.append('events', [{ key: event.key!, time: event.timeMs, value: event.value }]);
          oracle.add(event);
          if (draw.chance(0.04)) await tailwater.compact('events');
          if (draw.chance(0.02)) {
            await tailwater.close();
            tailwater = await Tailwater.open({ dataDir, clock, compactionHost: 'inline', compaction: { auto: false } });
          }
          if (draw.chance(0.3)) {
            const entity = draw.of(['u1', 'u2', '3']);
            const answer = await tailwater.features.online('view', { entities: [entity] });
            answered.push({ entity, asOf: answer.asOf, values: answer.entities[0].values as JsonObject });
          }
        }
        const rows = answered.map(({ entity, asOf }) => ({ user: entity, time: asOf }));
        const seen = await tailwater.features.historical({ views: ['view'], rows, asSeen: true });
        expect(seen.rows).toEqual(answered.map(({ entity, asOf, values }) => ({ user: entity, time: asOf, ...values })));
        const known = await tailwater.features.historical({ views: ['view'], rows });
        for (const [index, row] of rows.entries()) {
          const expected = oracle.at(row.user, Date.parse(row.time));
          const online = await tailwater.features.online('view', { entities: [row.user], asOf: row.time });
          expect(online.entities[0].values).toEqual(
            Object.fromEntries(Object.keys(expected).map(name => [name, known.rows[index][name]])),
          );
          for (const [name, { status, eventTime }] of Object.entries(online.entities[0].details)) {
            const eventTimeMs = eventTime === null ? null : Date.parse(eventTime);
            const answer = { value: known.rows[index][name], status, eventTimeMs };
            expect(differenceOf(definition, name, answer, expected[name])).toBeNull();
          }
        }
        await tailwater.close();
      },
      { clock },
    );
  }
});
