import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { fakeEngine } from './fake-engine.ts';
import { rawGet, startServer, type TestServer } from './http-support.ts';
import { connectHttp, REVISIONS } from './mcp-support.ts';

const ACCEPT = { accept: 'application/json, text/event-stream' };
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

async function openSession(server: TestServer): Promise<string> {
  const response = await server.post('/mcp', INITIALIZE, ACCEPT);
  await response.text();
  expect(response.status).toBe(200);
  return response.headers.get('mcp-session-id')!;
}

const ping = (server: TestServer, session: string): Promise<Response> =>
  server.post('/mcp', { jsonrpc: '2.0', id: 2, method: 'ping' }, { ...ACCEPT, 'mcp-session-id': session });

describe('a hostile client', () => {
  const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const modern = (params: object): object => ({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      ...params,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  });
  const MODERN = { ...ACCEPT, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'search' };
  const attacks: [name: string, body: unknown, headers?: Record<string, string>][] = [
    ['no JSON', '{"jsonrpc":"2.0",'],
    ['an empty body', ''],
    ['a bare number', '1'],
    ['an empty batch', '[]'],
    ['a batch of thousands', JSON.stringify(Array.from({ length: 5000 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' })))],
    ['nesting of a million', deep(1_000_000)],
    ['nested parameters', `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${deep(5000)}}}`],
    ['a method that is a number', { jsonrpc: '2.0', id: 1, method: 7 }],
    ['an id that is an object', { jsonrpc: '2.0', id: {}, method: 'ping' }],
    ['a request before initialize', { jsonrpc: '2.0', id: 1, method: 'tools/list' }],
    ['a session that never was', { jsonrpc: '2.0', id: 1, method: 'ping' }, { 'mcp-session-id': 'x'.repeat(5000) }],
    ['an unknown revision', { ...modern({}), id: 1 }, { ...MODERN, 'mcp-protocol-version': '2999-01-01' }],
    ['headers of another call', modern({ name: 'remember', arguments: {} }), MODERN],
    ['arguments that are a list', modern({ name: 'search', arguments: [1] }), MODERN],
    [
      'a listening request without a filter',
      { ...modern({}), method: 'subscriptions/listen' },
      { ...MODERN, 'mcp-method': 'subscriptions/listen' },
    ],
    ['a body that is text', 'hello', { 'content-type': 'text/plain' }],
    ['a body too large', `"${'x'.repeat(200_000)}"`],
  ];

  test('gets protocol errors for whatever it sends, and the others are served', async () => {
    await using server = await startServer(fakeEngine(), { maxBodyBytes: 100_000 });
    const session = await openSession(server);
    for (const [name, body, headers] of attacks) {
      const response = await server.post('/mcp', body, { ...ACCEPT, ...headers });
      const text = await response.text();
      expect({ name, served: response.status < 500 }, text).toEqual({ name, served: true });
      const { jsonrpc, error } = JSON.parse(text);
      expect({ name, jsonrpc, code: typeof error.code, message: typeof error.message }).toEqual({
        name,
        jsonrpc: '2.0',
        code: 'number',
        message: 'string',
      });
      expect((await ping(server, session)).status, name).toBe(200);
    }
  });

  test('gets protocol errors within a session, out of order or with arguments of any kind', async () => {
    await using server = await startServer(fakeEngine());
    const session = await openSession(server);
    const post = (message: object): Promise<Response> =>
      server.post('/mcp', { jsonrpc: '2.0', ...message }, { ...ACCEPT, 'mcp-session-id': session });
    const wrong = [
      { id: 3, method: 'initialize', params: {} },
      { id: 4, method: 'tools/call', params: { name: 'search', arguments: 'x' } },
      { id: 5, method: 'tools/call', params: {} },
      { id: 6, method: 'resources/read', params: { uri: 'x'.repeat(10_000) } },
      { id: 7, method: 'resources/list', params: { cursor: '-1' } },
      { id: 8, method: 'no/such' },
    ];
    for (const message of wrong) {
      const text = await (await post(message)).text();
      expect(text, JSON.stringify(message)).toMatch(/"error":\{"code":-\d+/);
    }
    expect((await post({ id: 99, result: {} })).status).toBeLessThan(500);
    expect((await ping(server, session)).status).toBe(200);
  });

  test('of another site is refused by Host and Origin', async () => {
    await using server = await startServer(fakeEngine());
    const response = await server.post('/mcp', INITIALIZE, { ...ACCEPT, origin: 'https://evil.example' });
    expect(response.status).toBe(403);
    expect((await rawGet(server.url, '/mcp')).status).toBe(400);
  });

  test('with a message larger than the limit is told so', async () => {
    await using server = await startServer(fakeEngine(), { mcp: { maxMessageBytes: 1000 } });
    const response = await server.post('/mcp', JSON.stringify({ ...INITIALIZE, pad: 'x'.repeat(1000) }), ACCEPT);
    expect(response.status).toBe(413);
    expect(JSON.parse(await response.text()).error.data.code).toBe('TW_BODY_TOO_LARGE');
  });
});

describe.each(REVISIONS)('clients of %s', revision => {
  test('leave nothing behind: requests and streams that ended count no more', async () => {
    await using server = await startServer(fakeEngine(), { maxInFlight: 4, maxFollowers: 2, maxBufferedBytes: 20_000 });
    for (let round = 0; round < 12; round++) {
      await using connected = await connectHttp(server.url, revision);
      const { client } = connected;
      await client.listTools();
      const called = await client.callTool({
        name: 'recent_events',
        arguments: { stream: 'events', filter: { pad: 'x'.repeat(3000) } },
      });
      expect(called.isError ?? false, JSON.stringify(called.content)).toBe(false);
      if (revision === '2026-07-28') await client.listen({ resourceSubscriptions: ['tailwater://streams/events'] });
      else await client.subscribeResource({ uri: 'tailwater://streams/events' });
    }
  });
});

describe('sessions', () => {
  test('that are silent end after their time, and the client is told to start anew', async () => {
    const clock = new VirtualClock();
    await using server = await startServer(fakeEngine(), { clock, mcp: { sessionIdleMs: 60_000 } });
    const silent = await openSession(server);
    const busy = await openSession(server);
    for (let minute = 0; minute < 3; minute++) {
      await clock.advance(30_000);
      await (await ping(server, busy)).text();
    }
    expect((await ping(server, silent)).status).toBe(404);
    expect((await ping(server, busy)).status).toBe(200);
  });

  test('are bounded: the one that was silent for longest gives way', async () => {
    const clock = new VirtualClock();
    await using server = await startServer(fakeEngine(), { clock, mcp: { maxSessions: 3 } });
    const sessions: string[] = [];
    for (let n = 0; n < 5; n++) {
      sessions.push(await openSession(server));
      await clock.advance(10);
    }
    const statuses = await Promise.all(sessions.map(async session => (await ping(server, session)).status));
    expect(statuses).toEqual([404, 404, 200, 200, 200]);
  });

  test('end when their client says so', async () => {
    await using server = await startServer(fakeEngine());
    const session = await openSession(server);
    const response = await server.fetch('/mcp', { method: 'DELETE', headers: { 'mcp-session-id': session } });
    expect(response.status).toBe(200);
    expect((await ping(server, session)).status).toBe(404);
  });

  test.each(REVISIONS)('and listening clients of %s do not keep a server from stopping', async revision => {
    const server = await startServer(fakeEngine());
    await using connected = await connectHttp(server.url, revision);
    if (revision === '2026-07-28') await connected.client.listen({ resourceSubscriptions: ['tailwater://streams/events'] });
    else await connected.client.subscribeResource({ uri: 'tailwater://streams/events' });
    await server.server.close();
    await expect(server.fetch('/healthz')).rejects.toThrow();
  });
});
