import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { TailwaterError, utf8 } from '../../src/base/index.ts';
import { EventParser, type ServerEvent } from '../../src/client-events.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { failing, fakeEngine } from './fake-engine.ts';
import { problemOf, startServer, type TestServer } from './http-support.ts';

const PATH = '/v1/streams/events/records';

interface Reader extends AsyncDisposable {
  /** The next event; null at the end of the answer. */
  next(): Promise<ServerEvent | null>;
}

async function follow(server: TestServer, query: string, lastEventId?: string): Promise<Reader> {
  const headers = { accept: 'text/event-stream', ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
  const response = await server.fetch(PATH + query, { headers });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const parser = new EventParser();
  const chunks = response.body!.values();
  const waiting: ServerEvent[] = [];
  return {
    async next() {
      while (waiting.length === 0) {
        const { done, value } = await chunks.next();
        if (done) return null;
        waiting.push(...parser.push(value));
      }
      return waiting.shift()!;
    },
    [Symbol.asyncDispose]: async () => void (await chunks.return?.()),
  };
}

const line = (value: unknown): { ndjson: Uint8Array } => ({ ndjson: utf8(JSON.stringify(value)) });
const recordValue = (event: ServerEvent | null) => JSON.parse(event!.data).value;

describe('a live follow', () => {
  test('from the end sends what is appended after it began, each with the token that resumes after it', async () => {
    const engine = fakeEngine();
    await engine.append('events', line('before'));
    await using server = await startServer(engine);
    await using reader = await follow(server, '');
    expect(await reader.next()).toMatchObject({ event: 'ready', id: expect.any(String) });
    await engine.append('events', line('a'));
    await engine.append('events', line('b'));
    const first = await reader.next();
    expect([first!.event, recordValue(first)]).toEqual(['record', 'a']);
    expect(recordValue(await reader.next())).toBe('b');
    await using resumed = await follow(server, '', first!.id!);
    await resumed.next();
    expect(recordValue(await resumed.next())).toBe('b');
  });

  test('that saw nothing resumes where it began', async () => {
    const engine = fakeEngine();
    await using server = await startServer(engine);
    const reader = await follow(server, '');
    const { id } = (await reader.next())!;
    await reader[Symbol.asyncDispose]();
    await engine.append('events', line('meanwhile'));
    await using resumed = await follow(server, '', id!);
    await resumed.next();
    expect(recordValue(await resumed.next())).toBe('meanwhile');
  });

  test('from the earliest sends everything, and keeps values whose text has line breaks whole', async () => {
    const engine = fakeEngine();
    const value = utf8('{\r\n  "n": 12345678901234567890,\n  "t": "a\\nb"\r}');
    engine.records.push({ partition: 0, offset: 0, seq: 0, key: null, timeMs: 0, ingestedAtMs: 0, headers: [], value });
    await using server = await startServer(engine);
    await using reader = await follow(server, '?from=earliest');
    await reader.next();
    const event = await reader.next();
    expect(event!.data).toContain('12345678901234567890');
    expect(recordValue(event)).toEqual({ n: Number('12345678901234567890'), t: 'a\nb' });
  });

  test('hears a heartbeat while nothing happens', async () => {
    const clock = new VirtualClock();
    await using server = await startServer(fakeEngine(), { clock, heartbeatMs: 15_000 });
    const response = await server.fetch(PATH, { headers: { accept: 'text/event-stream' } });
    const chunks = response.body!.values();
    await chunks.next();
    await clock.advance(15_000);
    expect(new TextDecoder().decode((await chunks.next()).value)).toBe(': heartbeat\n\n');
    await clock.advance(15_000);
    expect(new TextDecoder().decode((await chunks.next()).value)).toBe(': heartbeat\n\n');
    await chunks.return?.();
  });

  test('ends with a final event when the server stops', async () => {
    const engine = fakeEngine();
    await using server = await startServer(engine);
    await using reader = await follow(server, '');
    await reader.next();
    const closed = server.server.close();
    expect(await reader.next()).toMatchObject({ event: 'end' });
    expect(await reader.next()).toBeNull();
    await closed;
  });

  test('a server that stops does not wait for connections on which nothing was asked', async () => {
    const server = await startServer(fakeEngine(), { clock: new VirtualClock() });
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    await server.fetch('/healthz').then(response => response.text());
    const ended = once(socket, 'close');
    await server.server.close();
    await ended;
  });

  test('ends with a problem when the engine fails', async () => {
    await using server = await startServer(
      fakeEngine({ follow: () => failing(new TailwaterError('TW_HISTORY_EXPIRED', { detail: 'Gone.' })) }),
    );
    await using reader = await follow(server, '');
    await reader.next();
    const event = await reader.next();
    expect(event!.event).toBe('problem');
    expect(JSON.parse(event!.data)).toMatchObject({ code: 'TW_HISTORY_EXPIRED', detail: 'Gone.' });
    expect(await reader.next()).toBeNull();
  });

  test('whose reader stops reading holds a bounded amount, and is ended', async () => {
    const clock = new VirtualClock();
    const engine = fakeEngine();
    let pulled = 0;
    async function* endless() {
      const value = utf8(`"${'x'.repeat(10_000)}"`);
      for (;;) {
        const record = { partition: 0, offset: pulled, seq: pulled, key: null, timeMs: 0, ingestedAtMs: 0, headers: [], value };
        pulled++;
        yield { record, token: 'token' };
      }
    }
    await using server = await startServer({ ...engine, follow: endless }, { clock, stallMs: 30_000 });
    const response = await stalledGet(server.url + PATH);
    const settled = await untilUnchanged(() => pulled);
    // Socket buffers of both sides, and one buffer's worth in the process.
    expect(settled * 10_000).toBeLessThan(50_000_000);
    const ended = new Promise(resolve => response.on('close', resolve));
    await clock.advance(30_000);
    response.resume().on('error', () => {});
    await ended;
    const metrics = await (await server.fetch('/metrics')).text();
    expect(metrics).toContain('tailwater_http_followers_stalled 1');
    expect(metrics).toContain('tailwater_http_followers 0');
  });

  test('is refused beyond the most allowed, and its place is free again when it leaves', async () => {
    await using server = await startServer(fakeEngine(), { maxFollowers: 1 });
    const first = await follow(server, '');
    await first.next();
    const headers = { accept: 'text/event-stream' };
    expect(await problemOf(await server.fetch(PATH, { headers }))).toMatchObject({ code: 'TW_BUSY', status: 429 });
    await first[Symbol.asyncDispose]();
    for (;;) {
      const text = await (await server.fetch('/metrics')).text();
      if (text.includes('tailwater_http_followers 0\n')) break;
    }
    await using second = await follow(server, '');
    expect(await second.next()).toMatchObject({ event: 'ready' });
  });

  test('does not count as a request in flight', async () => {
    await using server = await startServer(fakeEngine(), { maxInFlight: 1 });
    await using reader = await follow(server, '');
    await reader.next();
    expect((await server.fetch('/v1/streams')).status).toBe(200);
  });
});

/** An answer whose body nobody reads. */
function stalledGet(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { headers: { accept: 'text/event-stream' } }, response => {
      response.on('error', () => {});
      resolve(response);
    });
    request.on('error', reject);
    request.end();
  });
}

/** The number once it has stayed the same for a thousand turns of the event loop. */
async function untilUnchanged(read: () => number): Promise<number> {
  for (let last = -1, same = 0; ; ) {
    await new Promise(resolve => setImmediate(resolve));
    const now = read();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
    if (same > 1000) return now;
  }
}
