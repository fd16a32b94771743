import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import { EventParser, type ServerEvent } from '../../src/client-events.ts';
import type { FollowEvent, QueryAnswer, Tailwater, TailwaterApi } from '../../src/index.ts';
import { problemOf, startServer } from '../server/http-support.ts';
import { withEngine } from '../snapshot/temporary-engine.ts';

/** Both faces of one engine. */
function onBoth(work: (api: TailwaterApi, tailwater: Tailwater, url: string) => Promise<void>): Promise<void> {
  return withEngine(async tailwater => {
    await using server = await startServer(tailwater.engine);
    const client = new TailwaterClient({ url: server.url });
    for (const api of [tailwater, client]) await work(api, tailwater, server.url);
    await client.close();
  });
}

async function taken<T>(items: AsyncIterator<T>, count = 1): Promise<T[]> {
  const found: T[] = [];
  while (found.length < count) {
    const { done, value } = await items.next();
    if (done) throw new Error(`The end, after ${found.length}.`);
    found.push(value);
  }
  return found;
}

const idsOf = ({ hits }: QueryAnswer): string[] => hits.map(({ id }) => id);
const valuesOf = (events: readonly FollowEvent[]) => events.map(({ record }) => (record.value as { n: number }).n);
const iterate = <T>(items: AsyncIterable<T>): AsyncIterator<T> => items[Symbol.asyncIterator]();
let made = 0;
const fresh = (): string => `s${++made}`;

describe('a live answer', () => {
  test('comes again when another row is the answer, with the difference, and not for rows that are no part of it', () =>
    onBoth(async api => {
      const stream = fresh();
      await api.createStream(stream, { kind: 'upsert', key: 'id' });
      await api.append(stream, [{ value: { id: 'a', open: true } }, { value: { id: 'b', open: false } }]);
      const stop = new AbortController();
      const request = { filter: { open: true }, limit: 2 };
      const answers = api.live.query(stream, request, { signal: stop.signal })[Symbol.asyncIterator]();
      const [first] = await taken(answers);
      expect([idsOf(first.answer), first.difference, first.answer.freshness.complete]).toEqual([['a'], null, true]);
      await api.append(stream, [{ value: { id: 'c', open: false } }]);
      await api.append(stream, [{ value: { id: 'd', open: true } }]);
      const [second] = await taken(answers);
      expect([idsOf(second.answer), second.difference]).toEqual([['d', 'a'], { added: ['d'], changed: [], removed: [] }]);
      await api.append(stream, [{ value: { id: 'a', open: true, more: 1 } }, { value: { id: 'd', open: false } }]);
      const [third] = await taken(answers);
      expect([idsOf(third.answer), third.difference]).toEqual([['a'], { added: [], changed: ['a'], removed: ['d'] }]);
      await api.deleteRow(stream, 'a');
      expect((await taken(answers))[0].difference).toEqual({ added: [], changed: [], removed: ['a'] });
      stop.abort();
      expect((await answers.next()).done).toBe(true);
    }));

  test('goes on after the last answer seen: silent when nothing else is the answer, else with the difference to that one', () =>
    onBoth(async (api, tailwater) => {
      const stream = fresh();
      await api.createStream(stream, { kind: 'append', search: { fields: ['text'] } });
      await api.append(stream, [{ value: { text: 'red tide' } }]);
      const begin = async (after?: string) => {
        const stop = new AbortController();
        const options = { signal: stop.signal, ...(after !== undefined && { after }) };
        return { answers: api.live.query(stream, { text: 'tide' }, options)[Symbol.asyncIterator](), stop };
      };
      const one = await begin();
      const [{ answer }] = await taken(one.answers);
      one.stop.abort();
      await one.answers.next();
      await api.append(stream, [{ value: { text: 'nothing of it' } }]);
      await tailwater.compact(stream);
      const two = await begin(answer.token);
      const next = taken(two.answers);
      await api.append(stream, [{ value: { text: 'low tide' } }]);
      const [{ answer: later, difference }] = await next;
      expect(later.hits.map(({ value }) => value.text).sort()).toEqual(['low tide', 'red tide']);
      expect(difference).toEqual({ added: ['0:2'], changed: [], removed: [] });
      two.stop.abort();
    }));

  test('of a context says which items are others', () =>
    onBoth(async api => {
      const [events, name] = [fresh(), fresh()];
      await api.createStream(events, { kind: 'append' });
      await api.append(events, [{ value: { user: 'ann', n: 1 } }]);
      await api.contexts.apply(name, {
        parameters: { user: { type: 'string' } },
        context: {
          subject: { $param: 'user' },
          include: { events: { stream: events, subjectField: 'user', limit: 2 } },
          budget: { tokens: 500 },
        },
      });
      const stop = new AbortController();
      const call = { params: { user: 'ann' }, budget: { tokens: 300 } };
      const answers = api.live.context(name, call, { signal: stop.signal })[Symbol.asyncIterator]();
      const [first] = await taken(answers);
      expect(first.answer.text).toContain('n: 1');
      await api.append(events, [{ value: { user: 'bob', n: 2 } }]);
      await api.append(events, [{ value: { user: 'ann', n: 3 } }]);
      const [second] = await taken(answers);
      expect(second.answer.text).toContain('n: 3');
      expect(second.difference?.added).toEqual([expect.stringContaining('0:2')]);
      stop.abort();
    }));

  test('ends with an error when the stream is deleted', () =>
    onBoth(async api => {
      const stream = fresh();
      await api.createStream(stream, { kind: 'append' });
      const answers = api.live.query(stream, {})[Symbol.asyncIterator]();
      await taken(answers);
      const next = answers.next();
      await api.deleteStream(stream);
      await expect(next).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
    }));
});

describe('a standing query', () => {
  test('tells of every record that matches, once, in order, over any number of resumptions', () =>
    onBoth(async (api, tailwater) => {
      const stream = fresh();
      await api.createStream(stream, { kind: 'append', partitions: 3, search: { fields: ['text'] } });
      const request = { text: 'Storms', filter: { level: { $gte: 5 } } };
      const record = (n: number) => {
        const text = n % 3 === 0 ? 'a storm is coming' : 'calm';
        return { value: { n, text, level: n % 2 === 0 ? 9 : 1, padding: 'x'.repeat(n % 7 === 0 ? 9000 : 0) } };
      };
      const expected = Array.from({ length: 3000 }, (_, n) => n).filter(n => n % 6 === 0);
      const { token: begin } = await api.read(stream, { from: 'latest' });
      const quick = new AbortController();
      const heard = taken(iterate(api.live.matches(stream, request, { after: begin, signal: quick.signal })), expected.length);
      for (let n = 0; n < 3000; n += 60) {
        await api.append(
          stream,
          Array.from({ length: 60 }, (_, index) => record(n + index)),
        );
        if (n === 1200) await tailwater.compact(stream);
      }
      const interrupted: FollowEvent[] = [];
      while (interrupted.length < expected.length) {
        const after = interrupted.at(-1)?.token ?? begin;
        for await (const event of api.live.matches(stream, request, { after })) {
          interrupted.push(event);
          if (interrupted.length % 97 === 0 || interrupted.length === expected.length) break;
        }
      }
      const places = (events: readonly FollowEvent[]) =>
        events.map(({ record: { partition, offset } }) => `${partition}:${offset}`);
      expect(places(interrupted)).toEqual(places(await heard));
      expect(valuesOf(interrupted).sort((one, other) => one - other)).toEqual(expected);
      for (const partition of [0, 1, 2]) {
        const offsets = interrupted.filter(({ record }) => record.partition === partition).map(({ record }) => record.offset);
        expect(offsets).toEqual(offsets.toSorted((one, other) => one - other));
      }
      quick.abort();
    }));

  test('lets a reader that falls too far behind read by itself: it misses nothing', () =>
    onBoth(async api => {
      const stream = fresh();
      await api.createStream(stream, { kind: 'append' });
      const { token } = await api.read(stream, { from: 'latest' });
      const slow = iterate(api.live.matches(stream, { filter: { odd: true } }, { after: token }));
      let n = 0;
      const more = (count: number) =>
        api.append(
          stream,
          Array.from({ length: count }, () => ({ value: { n, odd: n++ % 2 === 1, padding: 'x'.repeat(300) } })),
        );
      const first = slow.next();
      await more(2);
      await first;
      for (let round = 0; round < 20; round++) await more(1000);
      expect(valuesOf(await taken(slow, 10_000))).toEqual(Array.from({ length: 10_000 }, (_, index) => 3 + 2 * index));
      await slow.return?.();
    }));

  test('begins now, and says where that is', () =>
    withEngine(async tailwater => {
      await using server = await startServer(tailwater.engine);
      await tailwater.createStream('plain', { kind: 'append' });
      await tailwater.append('plain', [{ value: { n: 1 } }]);
      const open = (body: object) => server.post('/v1/streams/plain/query/live', { emit: 'matches', ...body });
      const ready = await firstEvents(await open({}), 1);
      await tailwater.append('plain', [{ value: { n: 2 } }]);
      const [, match] = await firstEvents(await open({ after: ready[0].id }), 2);
      expect([ready[0].event, match.event, JSON.parse(match.data).value]).toEqual(['ready', 'match', { n: 2 }]);
    }));
});

async function firstEvents(response: Response, count: number): Promise<ServerEvent[]> {
  const parser = new EventParser();
  const events: ServerEvent[] = [];
  for await (const chunk of response.body!) {
    events.push(...parser.push(chunk));
    if (events.length >= count) break;
  }
  return events;
}

describe('what cannot be answered live', () => {
  test('is refused before anything is sent, by name', () =>
    withEngine(async tailwater => {
      await using server = await startServer(tailwater.engine);
      await tailwater.createStream('plain', { kind: 'append' });
      const ask = (body: object, stream = 'plain', headers = {}) =>
        server.post(`/v1/streams/${stream}/query/live`, body, headers);
      const codes = async (responses: Promise<Response>[]): Promise<string[]> =>
        Promise.all(responses.map(async response => (await problemOf(await response)).code));
      expect(
        await codes([
          ask({}, 'nothing'),
          ask({ consistency: { strong: true } }),
          ask({ emit: 'everything' }),
          ask({ text: 'tide' }),
          ask({ emit: 'matches', text: 'tide' }),
          ask({ emit: 'matches', limit: 3 }),
          ask({ filter: { $or: 5 } }),
          ask({ after: 'no token' }),
          ask({ emit: 'matches' }, 'plain', { 'last-event-id': 'no token' }),
          server.fetch('/v1/contexts/none/live'),
          server.fetch('/v1/contexts/none/live?params=5'),
        ]),
      ).toEqual([
        'TW_STREAM_NOT_FOUND',
        'TW_BAD_REQUEST',
        'TW_BAD_REQUEST',
        'TW_NOT_SEARCHABLE',
        'TW_NOT_SEARCHABLE',
        'TW_BAD_REQUEST',
        'TW_BAD_REQUEST',
        'TW_BAD_TOKEN',
        'TW_BAD_TOKEN',
        'TW_CONTEXT_NOT_FOUND',
        'TW_BAD_REQUEST',
      ]);
      expect(tailwater.engine.live.stats().map(({ stats }) => stats)).toEqual([
        { topics: 0, subscribers: 0 },
        { streams: 0, subscribers: 0 },
      ]);
    }));

  test('is more than the most questions at a time: TW_BUSY, and nobody else suffers', () =>
    withEngine(
      async tailwater => {
        await tailwater.createStream('plain', { kind: 'append' });
        const stop = new AbortController();
        const ask = (limit: number) => tailwater.live.query('plain', { limit }, { signal: stop.signal })[Symbol.asyncIterator]();
        const first = ask(1);
        await taken(first);
        await taken(ask(2));
        await expect(ask(3).next()).rejects.toMatchObject({ code: 'TW_BUSY' });
        await taken(ask(2));
        const next = first.next();
        await tailwater.append('plain', [{ value: {} }]);
        expect((await next).value.difference).toEqual({ added: ['0:0'], changed: [], removed: [] });
        stop.abort();
      },
      { live: { maxTopics: 2 } },
    ));
});
