import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clock, type ErrorCode, TailwaterError, utf8 } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { EventParser } from '../../src/client-events.ts';
import { cuttingProxy } from './cutting-proxy.ts';
import { failing, fakeEngine } from './fake-engine.ts';
import { startServer } from './http-support.ts';
import { instantClock } from './instant-clock.ts';

interface Seen {
  method: string;
  path: string;
  headers: Headers;
}

/** A fetch that answers from a script; the last answer repeats. An error is thrown instead of answered. */
function scriptedFetch(...answers: (Response | Error | (() => Response | Error))[]): typeof fetch & { seen: Seen[] } {
  const seen: Seen[] = [];
  const scripted = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    seen.push({ method: init.method ?? 'GET', path: new URL(String(input)).pathname, headers: new Headers(init.headers) });
    const answer = answers[Math.min(seen.length, answers.length) - 1];
    const given = typeof answer === 'function' ? answer() : answer;
    if (given instanceof Error) throw given;
    return given.clone();
  };
  return Object.assign(scripted as typeof fetch, { seen });
}

const APPENDED = { token: 'token-1', accepted: 1, partitions: [{ partition: 0, first: 0, last: 0 }], rejected: [] };
const appended = (): Response => Response.json(APPENDED);

function problem(code: ErrorCode, retryAfterMs?: number): Response {
  const error = new TailwaterError(code, retryAfterMs === undefined ? {} : { retryAfterMs });
  return new Response(JSON.stringify(error.toProblem()), {
    status: error.status,
    headers: { 'content-type': 'application/problem+json' },
  });
}

const lostReply = (): Error =>
  new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) });
const refused = (): Error =>
  new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });

function clientOf(fetch: typeof globalThis.fetch, clock = instantClock()): TailwaterClient {
  return new TailwaterClient({ url: 'http://server', fetch, clock });
}

async function gathered<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('a client repeats what is safe to repeat', () => {
  test.each([
    ['a lost reply', lostReply],
    ['an outcome the server does not know', () => problem('TW_OUTCOME_UNKNOWN')],
    ['a refusal for now', () => problem('TW_TAIL_FULL')],
    ['a server that is away', refused],
    ['an answer of a proxy', () => new Response('Bad gateway', { status: 502 })],
  ])('an append after %s, with the same Idempotency-Key', async (_, fault) => {
    const fetch = scriptedFetch(fault, fault, appended);
    expect(await clientOf(fetch).append('s', [{ value: 1 }])).toEqual(APPENDED);
    const keys = fetch.seen.map(({ headers }) => headers.get('idempotency-key'));
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-z]{16}$/);
  });

  test('two appends have two keys', async () => {
    const fetch = scriptedFetch(appended);
    const client = clientOf(fetch);
    await client.append('s', [{ value: 1 }]);
    await client.append('s', [{ value: 1 }]);
    expect(new Set(fetch.seen.map(({ headers }) => headers.get('idempotency-key'))).size).toBe(2);
  });

  test('a bounded number of times, and then says what is known', async () => {
    const fetch = scriptedFetch(lostReply);
    await expect(clientOf(fetch).append('s', [{ value: 1 }])).rejects.toMatchObject({ code: 'TW_OUTCOME_UNKNOWN' });
    expect(fetch.seen).toHaveLength(5);
    await expect(clientOf(scriptedFetch(refused)).append('s', [{ value: 1 }])).rejects.toMatchObject({ code: 'TW_UNREACHABLE' });
    await expect(clientOf(scriptedFetch(lostReply)).getStream('s')).rejects.toMatchObject({ code: 'TW_UNREACHABLE' });
  });

  test('deletions are not repeated when their reply was lost', async () => {
    for (const remove of [
      (client: TailwaterClient) => client.deleteStream('s'),
      (client: TailwaterClient) => client.deleteRow('s', 'k'),
    ]) {
      const fetch = scriptedFetch(lostReply);
      await expect(remove(clientOf(fetch))).rejects.toMatchObject({ code: 'TW_OUTCOME_UNKNOWN' });
      expect(fetch.seen).toHaveLength(1);
    }
  });

  test('errors that repeating cannot mend are not repeated', async () => {
    const fetch = scriptedFetch(problem('TW_BAD_REQUEST'));
    await expect(clientOf(fetch).query('s', {})).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    expect(fetch.seen).toHaveLength(1);
  });

  test('after as long as the server asks; a server that asks for too much is left alone', async () => {
    const clock = instantClock();
    await clientOf(scriptedFetch(problem('TW_BUSY', 1234), appended()), clock).append('s', []);
    expect(clock.sleptMs).toEqual([1234]);
    const header = new Response('busy', { status: 503, headers: { 'retry-after': '3' } });
    await clientOf(scriptedFetch(header, appended()), clock).append('s', []);
    expect(clock.sleptMs).toEqual([1234, 3000]);
    const patient = scriptedFetch(problem('TW_BUSY', 3_600_000));
    await expect(clientOf(patient, clock).append('s', [])).rejects.toMatchObject({ code: 'TW_BUSY', retryAfterMs: 3_600_000 });
    expect(patient.seen).toHaveLength(1);
  });

  test('waits grow from one attempt to the next', async () => {
    const clock = instantClock();
    await clientOf(scriptedFetch(lostReply), clock)
      .getStream('s')
      .catch(() => {});
    expect(clock.sleptMs).toHaveLength(4);
    clock.sleptMs.forEach((ms, attempt) => {
      expect(ms).toBeGreaterThanOrEqual(50 * 2 ** attempt);
      expect(ms).toBeLessThanOrEqual(100 * 2 ** attempt);
    });
  });

  test('an attempt without an answer is given up after the timeout', async () => {
    const silent = (async (_: unknown, { signal }: RequestInit) =>
      new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)))) as typeof fetch;
    const clock: Clock = {
      ...instantClock(),
      after: (_ms, run) => {
        setImmediate(run);
        return { cancel() {} };
      },
    };
    const client = new TailwaterClient({ url: 'http://server', fetch: silent, clock, timeoutMs: 77 });
    await expect(client.getTable('s')).rejects.toMatchObject({ code: 'TW_DEADLINE', message: 'No answer within 77 ms.' });
  });
});

describe('a client remembers', () => {
  test('the last token of a stream and sends it with the next read of that stream', async () => {
    const asked: string[] = [];
    const fetch = (async (input: unknown, init: RequestInit = {}) => {
      asked.push(`${new URL(String(input)).search}${init.method === 'POST' ? String(init.body) : ''}`);
      return Response.json({ ...APPENDED, token: `token-${asked.length}` });
    }) as typeof globalThis.fetch;
    const client = new TailwaterClient({ url: 'http://server', fetch });
    await client.append('a', []);
    await client.query('a', { text: 'x' });
    await client.read('a', { limit: 5 });
    await client.getRow('a', 'k', { consistency: { asOf: '2026-01-01' } });
    await client.getRow('a', 'k');
    await client.read('b');
    await client.read('a', { consistency: { strong: true } });
    expect(asked.slice(1)).toEqual([
      '{"text":"x","consistency":{"atLeast":"token-1"}}',
      '?limit=5&atLeast=token-2',
      '?asOf=2026-01-01',
      '?atLeast=token-3',
      '',
      '?strong=true',
    ]);
    await client.append('B-2', []);
    await client.sql('SELECT * FROM A, "b-2"');
    await client.sql('SELECT * FROM A, "b-2"', { consistency: { strong: true } });
    await client.sql('SELECT 1');
    expect(asked.slice(8)).toEqual([
      '{"consistency":{"atLeast":["token-6","token-7","token-8"]},"sql":"SELECT * FROM A, \\"b-2\\""}',
      '{"consistency":{"strong":true},"sql":"SELECT * FROM A, \\"b-2\\""}',
      '{"sql":"SELECT 1"}',
    ]);
    const free = new TailwaterClient({ url: 'http://server', fetch, readYourWrites: false });
    await free.append('a', []);
    await free.read('a');
    expect(asked.at(-1)).toBe('');
  });
});

describe('a client that was closed', () => {
  test('refuses further calls', async () => {
    const client = clientOf(scriptedFetch(appended));
    await client.close();
    await expect(client.listStreams()).rejects.toMatchObject({ code: 'TW_CLOSED' });
  });
});

describe('a live follow of a client', () => {
  test('goes on without gaps and repeats when its connection breaks at any moment', async () => {
    const engine = fakeEngine();
    await using server = await startServer(engine);
    await using proxy = await cuttingProxy(server.url);
    const client = new TailwaterClient({ url: proxy.url, clock: instantClock() });
    const values: unknown[] = [];
    const appendNext = async (count: number) => {
      for (let i = 0; i < count; i++) await engine.append('events', { ndjson: utf8(String(engine.records.length)) });
    };
    await appendNext(3);
    for await (const { record } of client.follow('events', { from: 'earliest' })) {
      values.push(record.value);
      if (values.length === 300) break;
      if (values.length % 40 === 0) proxy.cut();
      if (values.length === engine.records.length) await appendNext(1 + (values.length % 7));
    }
    expect(values).toEqual(Array.from({ length: 300 }, (_, index) => index));
    expect(proxy.accepted()).toBeGreaterThan(3);
    await client.close();
  });

  test('survives a restart of the server', async () => {
    const engine = fakeEngine();
    const first = await startServer(engine);
    const port = Number(new URL(first.url).port);
    const client = new TailwaterClient({ url: first.url });
    const values: unknown[] = [];
    let second: Awaited<ReturnType<typeof startServer>> | null = null;
    await engine.append('events', { ndjson: utf8('1') });
    for await (const { record } of client.follow('events', { from: 'earliest' })) {
      values.push(record.value);
      if (values.length === 2) break;
      await first.server.close();
      await engine.append('events', { ndjson: utf8('2') });
      second = await startServer(engine, { port });
    }
    expect(values).toEqual([1, 2]);
    await client.close();
    await second?.server.close();
  });

  test('ends when its signal aborts, and when the client is closed', async () => {
    const engine = fakeEngine();
    await using server = await startServer(engine);
    await engine.append('events', { ndjson: utf8('1') });
    for (const how of ['signal', 'close']) {
      const stop = new AbortController();
      const client = new TailwaterClient({ url: server.url });
      const seen: unknown[] = [];
      for await (const { record } of client.follow('events', { from: 'earliest', signal: stop.signal })) {
        seen.push(record.value);
        setImmediate(() => (how === 'signal' ? stop.abort() : client.close()));
      }
      expect(seen).toEqual([1]);
      await client.close();
    }
  });

  test('fails with the code of a problem that resuming cannot mend', async () => {
    await using server = await startServer(
      fakeEngine({ follow: () => failing(new TailwaterError('TW_HISTORY_EXPIRED', { detail: 'Gone.' })) }),
    );
    const client = new TailwaterClient({ url: server.url });
    const all = gathered(client.follow('events'));
    await expect(all).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
    await expect(gathered(client.follow('none'))).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
  });

  test('gives up on a server that stays away', async () => {
    const clock = instantClock();
    const client = clientOf(scriptedFetch(refused), clock);
    await expect(gathered(client.follow('s'))).rejects.toMatchObject({ code: 'TW_UNREACHABLE' });
    expect(clock.sleptMs).toHaveLength(10);
  });
});

describe('the parser of server-sent events', () => {
  test('gives the same events however the bytes are cut', () => {
    const text =
      'id: 1\nevent: a\ndata: one\n\n: comment\n\ndata: zwölf\r\ndata:x\r\n\r\nevent:b\rdata\r\rid: 7\n\ndata: 🌊\nfoo: bar\n\ndata: cut off';
    const expected = [
      { id: '1', event: 'a', data: 'one' },
      { id: null, event: 'message', data: 'zwölf\nx' },
      { id: null, event: 'b', data: '' },
      { id: null, event: 'message', data: '🌊' },
    ];
    const bytes = utf8(text);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), cuts => {
        const parser = new EventParser();
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const events = places.slice(1).flatMap((end, index) => parser.push(bytes.subarray(places[index], end)));
        expect(events).toEqual(expected);
      }),
    );
  });
});
