import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../../src/client.ts';
import type { Scope } from '../../../src/server/index.ts';
import { serve } from '../../../src/server/index.ts';
import { type TestEngine, temporaryEngine } from '../engine-support.ts';
import { problemOf, startServer, type TestServer } from '../http-support.ts';

const ADMIN = 'the-administrator-of-these-tests-0123456789';
/** What a key of scope read may ask; every other GET as well. */
const QUESTIONS = [
  'post /v1/context',
  'post /v1/contexts/{context}',
  'post /v1/features/historical',
  'post /v1/features/lint',
  'post /v1/features/online',
  'post /v1/features/{view}/online',
  'post /v1/features/{view}/plan',
  'post /v1/sources/progress',
  'post /v1/sql',
  'post /v1/streams/{stream}/query',
  'post /v1/streams/{stream}/query/live',
];
const WRITES = [
  'delete /v1/streams/{stream}/documents/{document}',
  'delete /v1/streams/{stream}/rows/{key}',
  'post /iceberg/v1/namespaces/{namespace}/tables/{table}',
  'post /iceberg/v1/namespaces/{namespace}/tables/{table}/metrics',
  'post /iceberg/v1/transactions/commit',
  'post /v1/steps',
  'post /v1/streams/{stream}/records',
  'put /v1/streams/{stream}/documents/{document}',
];

let engine: TestEngine;
let server: TestServer;
let admin: TailwaterClient;
const keys = {} as Record<Scope | 'orders', string>;

function bearer(key: string): { authorization: string } {
  return { authorization: `Bearer ${key}` };
}

beforeAll(async () => {
  engine = await temporaryEngine();
  server = await startServer(engine.tailwater.engine, { adminKey: ADMIN });
  admin = new TailwaterClient({ url: server.url, apiKey: ADMIN });
  for (const scope of ['read', 'write', 'admin'] as const)
    keys[scope] = (await admin.keys.create({ name: scope, scopes: [scope] })).key;
  keys.orders = (await admin.keys.create({ name: 'orders', scopes: ['read', 'write'], streams: ['orders.'] })).key;
  for (const name of ['orders.eu', 'orders', 'users']) await admin.createStream(name, { kind: 'append' });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

describe('a server with an administrator’s key', () => {
  test('asks for a key on every route but those of probes, and each scope opens its own', async () => {
    const { paths } = (await (await server.fetch('/openapi.json', { headers: bearer(ADMIN) })).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map(method => ({ method, path })));
    expect(routes.length).toBeGreaterThan(60);
    for (const name of [...QUESTIONS, ...WRITES]) expect(routes.map(({ method, path }) => `${method} ${path}`)).toContain(name);
    for (const { method, path } of routes) {
      const name = `${method} ${path}`;
      const ask = async (headers: Record<string, string>): Promise<number> => {
        const url = path.replaceAll(/\{(\w+)\}/g, 'nothing-there');
        const isQuestion = method === 'get' || method === 'head';
        const init = {
          method: method.toUpperCase(),
          headers: { ...headers, ...(isQuestion ? {} : { 'content-type': 'application/json' }) },
        };
        const response = await server.fetch(url, isQuestion ? init : { ...init, body: '{"nothing":"like that"}' });
        await response.body?.cancel();
        return response.status;
      };
      if (path === '/healthz' || path === '/readyz') {
        expect(await ask({}), name).toBe(200);
        continue;
      }
      expect(await ask({}), name).toBe(401);
      const needed: Scope = WRITES.includes(name)
        ? 'write'
        : QUESTIONS.includes(name) || (/^(get|head) /.test(name) && path !== '/v1/keys')
          ? 'read'
          : 'admin';
      for (const scope of ['read', 'write', 'admin'] as const) {
        const status = await ask(bearer(keys[scope]));
        if (scope === needed) expect([401, 403], `${name} with ${scope}: ${status}`).not.toContain(status);
        else expect(status, `${name} with ${scope}`).toBe(403);
      }
    }
  });

  test('answers 401 to whatever is not a key, in the words of each protocol, and says how to ask', async () => {
    const missing = await server.fetch('/v1/streams');
    expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="tailwater"');
    expect((await problemOf(missing)).code).toBe('TW_UNAUTHENTICATED');
    expect((await server.fetch('/nowhere')).status).toBe(401);
    expect((await server.fetch('/nowhere', { headers: bearer(keys.read) })).status).toBe(404);
    const catalog = (await (await server.fetch('/iceberg/v1/config')).json()) as { error: { type: string; code: number } };
    expect(catalog.error).toMatchObject({ type: 'NotAuthorizedException', code: 401 });
    const mcp = await server.post('/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' });
    expect([mcp.status, mcp.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="tailwater"']);
    expect((await server.post('/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' }, bearer(keys.read))).status).toBe(403);
    const text = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map(code => String.fromCharCode(code)), maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom('Bearer ', 'bearer', 'Basic ', 'Bearer tw_', ''), async (rest, scheme) => {
        const response = await server.fetch('/v1/streams', { headers: { authorization: scheme + rest } });
        expect((await problemOf(response)).code).toBe('TW_UNAUTHENTICATED');
      }),
      { numRuns: 60 },
    );
  });

  test('shows a key that is limited to some streams nothing else', async () => {
    const client = new TailwaterClient({ url: server.url, apiKey: keys.orders });
    await client.append('orders.eu', [{ value: { n: 1 } }]);
    expect((await client.read('orders.eu')).records).toHaveLength(1);
    expect((await client.listStreams()).map(({ definition }) => definition.name)).toEqual(['orders.eu']);
    for (const refused of [
      () => client.read('orders'),
      () => client.append('users', [{ value: {} }]),
      () => client.context({ include: { events: { stream: 'users' } }, budget: { tokens: 100 } }),
      () => client.compact('orders.eu'),
      () => client.keys.list(),
      () => client.metrics(),
    ])
      await expect(refused(), refused.toString()).rejects.toMatchObject({ code: 'TW_FORBIDDEN' });
  });

  test('answers such a key what SQL, contexts and views make of its streams, as if the others were not there', async () => {
    const client = new TailwaterClient({ url: server.url, apiKey: keys.orders });
    const view = (source: string, name: string) => ({
      name,
      definition: { source, entity: 'user', features: { n: { aggregate: 'count', window: 'lifetime' } } },
    });
    const about = (include: object) => ({ include, budget: { tokens: 200 } });
    await admin.append('orders.eu', [{ value: { user: 'ann', total: 3 } }]);
    await admin.append('users', [{ value: { user: 'ann', secret: 'hidden' } }]);
    await admin.features.apply(view('orders.eu', 'buys'));
    await admin.features.apply(view('users', 'logins'));
    const parameters = { s: { type: 'string' } };
    const anyEvents = { parameters, context: about({ events: { stream: { $param: 's' } } }) };
    await admin.contexts.apply('inside', {
      context: about({ events: { stream: 'orders.eu' }, features: { view: 'buys', entity: 'ann' } }),
    });
    await admin.contexts.apply('outside', {
      context: about({ events: { stream: 'orders.eu' }, features: { view: 'logins', entity: 'ann' } }),
    });
    await admin.contexts.apply('any', anyEvents);

    expect((await client.sql('SELECT count(total) AS n FROM "orders.eu"')).rows).toEqual([[1]]);
    const unseen = await client.sql('SELECT * FROM users').catch(error => error);
    expect(unseen).toMatchObject({ code: 'TW_STREAM_NOT_FOUND', message: expect.stringContaining('There are orders.eu.') });
    expect((await client.features.list()).map(({ name }) => name)).toEqual(['buys']);
    expect((await client.contexts.list()).map(({ name }) => name)).toEqual(['inside']);
    expect((await client.features.online('buys', { entities: ['ann'] })).entities[0].values).toEqual({ n: 1 });
    const rows = [{ user: 'ann', time: '2099-01-01T00:00:00Z' }];
    await client.contexts.call('inside');
    await client.contexts.call('any', { params: { s: 'orders.eu' } });
    const first = async (answers: AsyncIterable<unknown>): Promise<unknown> => {
      for await (const answer of answers) return answer;
      return null;
    };
    expect(await first(client.live.query('orders.eu', { limit: 1 }))).toMatchObject({
      answer: { hits: [{ value: { total: 3 } }] },
    });
    expect(await first(client.live.context('inside'))).toMatchObject({ difference: null });
    await client.context(about({ events: [{ stream: 'orders.eu' }], features: { view: 'buys', entity: 'ann' } }) as never);
    for (const refused of [
      () => client.features.get('logins'),
      () => client.features.online('logins', { entities: ['ann'] }),
      () => client.features.service({ views: ['buys', { view: 'logins' }], entities: ['ann'] }),
      () => client.features.historical({ views: ['buys', 'logins'], rows }),
      () => client.contexts.get('outside'),
      () => client.contexts.call('outside'),
      () => client.contexts.call('any', { params: { s: 'users' } }),
      () => first(client.live.query('users', {})),
      () => first(client.live.matches('users', {}, { from: 'earliest' })),
      () => first(client.live.context('outside')),
      () => first(client.live.context('any', { params: { s: 'users' } })),
      () =>
        client.context(about({ rows: { stream: 'orders.eu' }, events: [{ stream: 'orders.eu' }, { stream: 'users' }] }) as never),
      () => client.context(about({ documents: { stream: ['orders.eu'] } }) as never),
    ])
      await expect(refused(), refused.toString()).rejects.toMatchObject({ code: 'TW_FORBIDDEN' });
  });

  test('makes and deletes keys for who has scope admin, and takes a deleted one no more', async () => {
    const second = new TailwaterClient({ url: server.url, apiKey: keys.admin });
    const { key, id } = await second.keys.create({ name: 'passing' });
    const client = new TailwaterClient({ url: server.url, apiKey: key });
    expect(await client.listStreams()).not.toEqual([]);
    await second.keys.remove(id);
    await expect(client.listStreams()).rejects.toMatchObject({ code: 'TW_UNAUTHENTICATED' });
  });
});

describe('a server without an administrator’s key', () => {
  test('asks nobody, makes no keys, and does not listen beyond this machine unless told to', async () => {
    await using open = await startServer(engine.tailwater.engine);
    const client = new TailwaterClient({ url: open.url });
    expect(await client.listStreams()).not.toEqual([]);
    await expect(client.keys.create({ name: 'a' })).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    for (const host of ['0.0.0.0', '::', '192.168.1.7', 'example.org'])
      await expect(serve(engine.tailwater.engine, { host, port: 0 }), host).rejects.toMatchObject({
        code: 'TW_SETTING',
        message: expect.stringContaining('--insecure'),
      });
  });
});
