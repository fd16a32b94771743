import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../../src/client.ts';
import { TOOLS } from '../../../src/tools/index.ts';
import { type TestEngine, temporaryEngine } from '../engine-support.ts';
import { startServer, type TestServer } from '../http-support.ts';
import { call, connectHttp, errorOf, REVISIONS } from '../mcp-support.ts';

const ADMIN = 'the-administrator-of-these-tests-0123456789';
/** In every record of streams that the key may not read. */
const HIDDEN = 'hidden-7431';

let engine: TestEngine;
let server: TestServer;
let admin: TailwaterClient;
const keys = { orders: '', other: '' };

beforeAll(async () => {
  engine = await temporaryEngine();
  server = await startServer(engine.tailwater.engine, { adminKey: ADMIN, mcp: { coalesceMs: 1 } });
  admin = new TailwaterClient({ url: server.url, apiKey: ADMIN });
  const scopes: ('read' | 'write')[] = ['read', 'write'];
  keys.orders = (await admin.keys.create({ name: 'orders', scopes, streams: ['orders.'] })).key;
  keys.other = (await admin.keys.create({ name: 'other', scopes, streams: ['orders.'] })).key;
  for (const name of ['orders.eu', 'secrets'])
    await admin.createStream(name, { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
  await admin.createStream('memories', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
  await admin.append('orders.eu', [{ value: { id: 'a', user: 'ann', text: 'seen' } }]);
  for (const stream of ['secrets', 'memories']) await admin.append(stream, [{ value: { id: 'a', user: 'ann', text: HIDDEN } }]);
  for (const [name, source] of [
    ['buys', 'orders.eu'],
    ['logins', 'secrets'],
  ]) {
    const features = { last: { aggregate: 'last', field: 'text', window: 'lifetime' } };
    await admin.features.apply({ name, definition: { source, entity: 'user', features } } as never);
  }
  const budget = { tokens: 500 };
  const parameters = { s: { type: 'string' as const } };
  for (const [name, include] of [
    ['inside', { rows: { stream: 'orders.eu' }, features: { view: 'buys' } }],
    ['outside', { rows: { stream: 'orders.eu' }, events: { stream: 'secrets' } }],
    ['viewing', { features: { view: 'logins' } }],
    ['any', { events: { stream: { $param: 's' } } }],
  ] as const)
    await admin.contexts.apply(name, { parameters, context: { include, subject: 'ann', budget } } as never);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

const select = 'SELECT * FROM';
/** Of each tool: what it answers within the key's streams, and every way to name another. */
const CALLS: Record<string, { inside: object; outside: object[] }> = {
  search: {
    inside: { stream: 'orders.eu', text: 'seen' },
    outside: [{ stream: 'secrets', text: HIDDEN }, { stream: 'secrets' }],
  },
  recent_events: { inside: { stream: 'orders.eu' }, outside: [{ stream: 'secrets' }] },
  get_row: { inside: { stream: 'orders.eu', key: 'a' }, outside: [{ stream: 'secrets', key: 'a' }] },
  list_streams: { inside: {}, outside: [] },
  remember: { inside: { stream: 'orders.notes', text: 'kept' }, outside: [{ text: 'kept' }, { stream: 'fresh', text: 'kept' }] },
  recall: { inside: { stream: 'orders.eu' }, outside: [{}, { stream: 'secrets' }, { query: HIDDEN }] },
  query_sql: {
    inside: { sql: `${select} "orders.eu"` },
    outside: [
      { sql: `${select} secrets` },
      { sql: `${select} "orders.eu" JOIN secrets USING (user)` },
      { sql: `SELECT (SELECT max(text) FROM secrets) FROM "orders.eu"` },
    ],
  },
  get_features: {
    inside: { view: 'buys', entities: ['ann'] },
    outside: [
      { view: 'logins', entities: ['ann'] },
      { views: ['buys', 'logins'], entities: ['ann'] },
    ],
  },
  get_context: {
    inside: { subject: 'ann', include: { events: [{ stream: 'orders.eu' }] } },
    outside: [
      { subject: 'ann', include: { features: [{ view: 'buys' }, { view: 'logins' }] } },
      { subject: 'a', include: { rows: [{ stream: 'secrets' }] } },
      { subject: 'ann', include: { rows: [{ stream: 'orders.eu' }], events: [{ stream: 'secrets' }] } },
      { query: HIDDEN, include: { documents: [{ stream: 'secrets' }] } },
    ],
  },
  context_inside: { inside: { s: 'orders.eu' }, outside: [] },
};

describe.each(REVISIONS)('a key of some streams, over MCP in %s', revision => {
  test('is offered and answered what is of its streams, and reaches nothing else by any tool', async () => {
    await using connected = await connectHttp(server.url, revision, keys.orders);
    const { client } = connected;
    const offered = (await client.listTools()).tools.map(({ name }) => name);
    expect(new Set(offered)).toEqual(new Set(Object.keys(CALLS)));
    expect(offered).toHaveLength(TOOLS.length + 1);
    for (const [tool, { inside, outside }] of Object.entries(CALLS)) {
      const answered = await call(client, tool, { ...inside });
      expect(answered.isError, `${tool}: ${answered.texts[0]}`).toBe(false);
      expect(answered.texts.join(), tool).not.toMatch(/hidden|secrets|logins/);
      for (const args of outside) {
        const refused = await call(client, tool, { ...args });
        expect(['TW_FORBIDDEN', 'TW_STREAM_NOT_FOUND'], JSON.stringify(args)).toContain(errorOf(refused).code);
        expect(refused.texts.join(), JSON.stringify(args)).not.toContain(HIDDEN);
      }
    }
    for (const tool of ['context_outside', 'context_viewing', 'context_any'])
      await expect(call(client, tool, { s: 'orders.eu' })).rejects.toThrow(/no tool/);
    expect((await admin.listStreams()).map(({ definition }) => definition.name).filter(name => name === 'fresh')).toEqual([]);
    expect((await admin.read('memories')).records).toHaveLength(1);
  });

  test('has its streams alone as resources, and is told of their changes alone', async () => {
    await using connected = await connectHttp(server.url, revision, keys.orders);
    const { client } = connected;
    const { resources } = await client.listResources();
    expect(resources.length).toBeGreaterThan(0);
    expect(resources.filter(({ uri }) => !uri.includes('/orders.'))).toEqual([]);
    await client.readResource({ uri: 'tailwater://tables/orders.eu' });
    const subscribe = (uris: string[]): Promise<unknown> =>
      revision === '2026-07-28'
        ? client.listen({ resourceSubscriptions: uris })
        : Promise.all(uris.map(uri => client.subscribeResource({ uri })));
    for (const uri of ['tailwater://streams/secrets', 'tailwater://tables/secrets', 'tailwater://streams/secret%73']) {
      await expect(client.readResource({ uri }), uri).rejects.toThrow(/limited to the streams/);
      await expect(subscribe([uri]), uri).rejects.toThrow(/limited to the streams/);
      await expect(subscribe(['tailwater://streams/orders.eu', uri]), uri).rejects.toThrow(/limited to the streams/);
    }

    // Someone else is told of the other stream: by the time this key hears of its own, it would have heard of that as well.
    await using all = await connectHttp(server.url, revision, ADMIN);
    if (revision === '2026-07-28') await all.client.listen({ resourceSubscriptions: ['tailwater://streams/secrets'] });
    else await all.client.subscribeResource({ uri: 'tailwater://streams/secrets' });
    const told: string[] = [];
    const heard = (of: typeof client): Promise<void> =>
      new Promise(resolve => {
        of.setNotificationHandler('notifications/resources/updated', ({ params }) => {
          if (of === client) told.push(params.uri);
          resolve();
        });
      });
    const [own, others] = [heard(client), heard(all.client)];
    await subscribe(['tailwater://streams/orders.eu']);
    await admin.append('secrets', [{ value: { id: 'b', text: HIDDEN } }]);
    await others;
    await admin.append('orders.eu', [{ value: { id: 'a', user: 'ann', text: 'seen' } }]);
    await own;
    expect(new Set(told)).toEqual(new Set(['tailwater://streams/orders.eu']));
  });
});

test('a session is of the key that opened it: others find none, whatever they may do', async () => {
  const send = (key: string, body: object, session?: string): Promise<Response> =>
    server.post('/mcp', body, {
      authorization: `Bearer ${key}`,
      accept: 'application/json, text/event-stream',
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
    });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const opened = await send(ADMIN, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
  await opened.text();
  const session = opened.headers.get('mcp-session-id')!;
  const ask = (key: string) => send(key, { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} }, session);
  for (const key of [keys.orders, keys.other]) expect((await ask(key)).status).toBe(404);
  expect(await (await ask(ADMIN)).text()).toContain('context_outside');
  const wrongEnd = await server.fetch('/mcp', {
    method: 'DELETE',
    headers: { authorization: `Bearer ${keys.orders}`, 'mcp-session-id': session },
  });
  expect(wrongEnd.status).toBe(404);
  expect((await ask(ADMIN)).status).toBe(200);
});
