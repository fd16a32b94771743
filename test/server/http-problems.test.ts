import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import { fakeEngine } from './fake-engine.ts';
import { problemOf, rawGet, startServer } from './http-support.ts';

const RECORDS = '/v1/streams/events/records';
const QUERY = '/v1/streams/events/query';

describe('every failure is a problem document', () => {
  test('an unknown route', async () => {
    await using server = await startServer(fakeEngine());
    expect(await problemOf(await server.fetch('/v2/nothing'))).toMatchObject({
      code: 'TW_NOT_FOUND',
      detail: 'There is no route GET /v2/nothing.',
    });
    expect(await problemOf(await server.fetch('/v1/streams', { method: 'POST' }))).toMatchObject({ code: 'TW_NOT_FOUND' });
  });

  test('a path that is not percent-encoded UTF-8', async () => {
    await using server = await startServer(fakeEngine());
    const { status, body } = await rawGet(server.url, '/v1/streams/%ff');
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ code: 'TW_BAD_REQUEST', status: 400 });
  });

  test('what is not HTTP', async () => {
    await using server = await startServer(fakeEngine());
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => socket.write('hello?\r\n\r\n'));
      let text = '';
      socket.on('data', chunk => {
        text += chunk.toString();
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1])).toMatchObject({ code: 'TW_BAD_REQUEST' });
  });

  test.each([
    ['{"limit": 5', 11],
    ['{"limit": 5,}', 12],
    ['{"limit" 5}', 9],
    ['limit', 0],
    ['{"a": "\u0007"}', 7],
    ['[1, 2', 5],
    ['{"a": 01}', 7],
    ['{"a": [}', 7],
    ['{} x', 3],
  ])('malformed JSON %j names position %i', async (body, position) => {
    await using server = await startServer(fakeEngine());
    for (const path of [QUERY, RECORDS]) {
      const problem = await problemOf(await server.post(path, body));
      expect(problem).toMatchObject({ code: 'TW_MALFORMED_JSON', data: { position } });
    }
  });

  test('a body that is not UTF-8', async () => {
    await using server = await startServer(fakeEngine());
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    for (const path of [QUERY, RECORDS])
      expect(await problemOf(await server.post(path, body))).toMatchObject({ code: 'TW_MALFORMED_JSON' });
  });

  test.each<[object | string, string]>([
    [{ limit: 0 }, 'limit'],
    [{ limit: '10' }, 'limit'],
    [{ mode: 'magic' }, 'mode'],
    [{ vector: ['a'] }, 'vector.0'],
    [{ nonsense: 1 }, 'nonsense'],
    [{ consistency: { strong: true, asOf: 'x' } }, 'consistency'],
    [{ consistency: { eventually: true } }, 'consistency.eventually'],
    [{ recency: { weight: 0.5 } }, 'recency.halfLifeMs'],
    [[], ''],
  ])('a query %j is refused with the field %j', async (body, field) => {
    await using server = await startServer(fakeEngine());
    const problem = await problemOf(await server.post(QUERY, body));
    expect(problem).toMatchObject({ code: 'TW_BAD_REQUEST', data: { field, in: 'body' } });
    expect(problem.detail).toContain(field);
  });

  test.each([
    ['?limit=0', 'limit'],
    ['?limit=many', 'limit'],
    ['?partition=-1', 'partition'],
    ['?colour=blue', 'colour'],
    ['?from=yesterday', 'from'],
    ['?from=time:yesterday', 'from'],
    ['?from=-1', 'from'],
    ['?strong=true&asOf=2026-01-01', 'asOf'],
  ])('a read %s is refused with the parameter', async (query, field) => {
    await using server = await startServer(fakeEngine());
    expect(await problemOf(await server.fetch(RECORDS + query))).toMatchObject({ code: 'TW_BAD_REQUEST', data: { field } });
  });

  test('a stream that does not exist', async () => {
    await using server = await startServer(fakeEngine());
    for (const path of ['/v1/streams/none', '/v1/streams/none/records']) {
      expect(await problemOf(await server.fetch(path))).toMatchObject({ code: 'TW_STREAM_NOT_FOUND', status: 404 });
    }
    const headers = { accept: 'text/event-stream' };
    expect(await problemOf(await server.fetch('/v1/streams/none/records', { headers }))).toMatchObject({
      code: 'TW_STREAM_NOT_FOUND',
    });
  });

  test('a live follow with a token that is none, or of a partition that is none', async () => {
    await using server = await startServer(fakeEngine());
    const headers = { accept: 'text/event-stream' };
    expect(await problemOf(await server.fetch(RECORDS, { headers: { ...headers, 'last-event-id': 'x' } }))).toMatchObject({
      code: 'TW_BAD_TOKEN',
    });
    expect(await problemOf(await server.fetch(`${RECORDS}?partition=7`, { headers }))).toMatchObject({ code: 'TW_BAD_REQUEST' });
  });

  test('an error of the engine keeps its code, facts and Retry-After', async () => {
    const append = async (): Promise<never> => {
      throw new TailwaterError('TW_TAIL_FULL', { detail: 'The tail holds 5 rows.', retryAfterMs: 1200, data: { rows: 5 } });
    };
    await using server = await startServer(fakeEngine({ append }));
    const response = await server.post(RECORDS, { records: [] });
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await problemOf(response)).toMatchObject({ code: 'TW_TAIL_FULL', status: 429, retryAfterMs: 1200, data: { rows: 5 } });
  });

  test('an unexpected error of the engine is logged without its text, which may quote a record', async () => {
    const logged: string[] = [];
    const log = (facts: object, message: string): void => {
      logged.push(`${JSON.stringify(facts)} ${message}`);
    };
    const query = async () => JSON.parse('{"card": "4111-1111"');
    await using server = await startServer(fakeEngine({ query }), { logger: { debug: log, info: log, warn: log, error: log } });
    expect(await problemOf(await server.post(QUERY, {}))).toMatchObject({ code: 'TW_INTERNAL', status: 500 });
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain('TW_INTERNAL');
    expect(logged[0]).not.toContain('4111');
  });
});

describe('bodies', () => {
  test('of another type or encoding are refused', async () => {
    await using server = await startServer(fakeEngine());
    const text = { 'content-type': 'text/plain' };
    expect(await problemOf(await server.post(RECORDS, 'x', text))).toMatchObject({
      code: 'TW_UNSUPPORTED_MEDIA_TYPE',
      status: 415,
    });
    const brotli = { 'content-encoding': 'br' };
    expect(await problemOf(await server.post(RECORDS, '{}', brotli))).toMatchObject({
      code: 'TW_UNSUPPORTED_MEDIA_TYPE',
      status: 415,
    });
    const ndjson = { 'content-type': 'application/x-ndjson' };
    expect(await problemOf(await server.post(QUERY, '{}', ndjson))).toMatchObject({
      code: 'TW_UNSUPPORTED_MEDIA_TYPE',
      status: 415,
    });
  });

  test('that are absent are refused', async () => {
    await using server = await startServer(fakeEngine());
    expect(await problemOf(await server.fetch(RECORDS, { method: 'POST' }))).toMatchObject({ code: 'TW_BAD_REQUEST' });
    expect(await problemOf(await server.fetch(QUERY, { method: 'POST' }))).toMatchObject({ code: 'TW_BAD_REQUEST' });
  });

  test('over the limit are refused, whether their length is declared or not, and the answer arrives', async () => {
    const engine = fakeEngine();
    await using server = await startServer(engine, { maxBodyBytes: 10_000 });
    const large = 'x'.repeat(15_000);
    const ndjson = { 'content-type': 'application/x-ndjson' };
    expect(await problemOf(await server.post(RECORDS, large, ndjson))).toMatchObject({ code: 'TW_BODY_TOO_LARGE', status: 413 });
    const stream = new Blob([large]).stream();
    const chunked = { method: 'POST', headers: ndjson, body: stream, duplex: 'half' } as RequestInit;
    expect(await problemOf(await server.fetch(RECORDS, chunked))).toMatchObject({ code: 'TW_BODY_TOO_LARGE' });
    expect(engine.records).toEqual([]);
  });

  test('in gzip are inflated within the same limit', async () => {
    const engine = fakeEngine();
    await using server = await startServer(engine, { maxBodyBytes: 100_000 });
    const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
    const lines = '{"a":1}\n'.repeat(1000);
    const answer = await server.post(RECORDS, gzipSync(lines), headers);
    expect(await answer.json()).toMatchObject({ accepted: 1000 });
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    expect(await problemOf(await server.post(RECORDS, bomb, headers))).toMatchObject({ code: 'TW_BODY_TOO_LARGE' });
    expect(await problemOf(await server.post(RECORDS, 'not gzip', headers))).toMatchObject({ code: 'TW_BAD_REQUEST' });
    const cut = gzipSync(lines).subarray(0, 30);
    expect(await problemOf(await server.post(RECORDS, cut, headers))).toMatchObject({ code: 'TW_BAD_REQUEST' });
  });

  test('beyond what may be held together are refused for now', async () => {
    await using server = await startServer(fakeEngine(), { maxBufferedBytes: 1000 });
    const ndjson = { 'content-type': 'application/x-ndjson' };
    const response = await server.post(RECORDS, `"${'x'.repeat(2000)}"`, ndjson);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await problemOf(response)).toMatchObject({ code: 'TW_BUSY', status: 429 });
    // What was held is given back: smaller bodies pass.
    for (let i = 0; i < 5; i++) expect((await server.post(RECORDS, `"${'x'.repeat(500)}"`, ndjson)).status).toBe(200);
  });

  test('the gate counts requests in flight, and answers health while it is closed', async () => {
    let release = (): void => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const query = async () => {
      await held;
      throw new TailwaterError('TW_DEADLINE');
    };
    await using server = await startServer(fakeEngine({ query }), { maxInFlight: 2 });
    const slow = [server.post(QUERY, {}), server.post(QUERY, {})];
    await untilInFlight(server, 2);
    expect(await problemOf(await server.post(QUERY, {}))).toMatchObject({ code: 'TW_BUSY', status: 429 });
    expect((await server.fetch('/healthz')).status).toBe(200);
    release();
    for (const response of await Promise.all(slow)) expect(response.status).toBe(504);
    await untilInFlight(server, 0);
    expect((await server.fetch('/v1/streams')).status).toBe(200);
  });
});

async function untilInFlight(server: { fetch(path: string): Promise<Response> }, count: number): Promise<void> {
  for (;;) {
    const text = await (await server.fetch('/metrics')).text();
    if (text.includes(`tailwater_http_in_flight ${count}\n`)) return;
  }
}
