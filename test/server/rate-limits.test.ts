import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import type { RateLimitSettings } from '../../src/server/http/rate-limits.ts';
import { LocalRates } from '../../src/server/limits/local-rates.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { fakeEngine } from './fake-engine.ts';
import { problemOf, startServer } from './http-support.ts';

const ADMIN = 'the-administrator-of-these-tests-0123456789';
const NDJSON = { 'content-type': 'application/x-ndjson' };

async function limited(rateLimits: Partial<RateLimitSettings>, adminKey?: string) {
  const clock = new VirtualClock();
  const engine = fakeEngine({ rates: new LocalRates(clock) });
  const server = await startServer(engine, { rateLimits, ...(adminKey === undefined ? {} : { adminKey }) });
  return { ...server, clock, engine };
}

/** As many requests as were answered otherwise than with 429. */
async function admitted(ask: () => Promise<Response>, count: number): Promise<number> {
  let sum = 0;
  for (let n = 0; n < count; n++) {
    const response = await ask();
    await response.body?.cancel();
    if (response.status !== 429) sum++;
  }
  return sum;
}

describe('a server with limits of requests', () => {
  test('refuses more with 429, Retry-After and what may be sent, on every face, and serves again after it', async () => {
    await using server = await limited({ requestsPerSecond: 2, requestsBurst: 5 });
    const first = await server.fetch('/v1/streams');
    expect([first.status, first.headers.get('ratelimit-policy'), first.headers.get('ratelimit')]).toEqual([
      200,
      '"requests";q=5;w=3',
      '"requests";r=4;t=1',
    ]);
    expect(await admitted(() => server.fetch('/nowhere'), 9)).toBe(4);
    const refused = await server.fetch('/v1/streams');
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('ratelimit')]).toEqual([
      429,
      '1',
      '"requests";r=0;t=3',
    ]);
    expect(await problemOf(refused)).toMatchObject({
      code: 'TW_RATE_LIMITED',
      retryAfterMs: 500,
      data: { limit: 'requests', perSecond: 2, burst: 5 },
    });
    const mcp = await server.post('/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' });
    expect([mcp.status, mcp.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await mcp.json()).toMatchObject({ error: { data: { code: 'TW_RATE_LIMITED' } } });
    const catalog = await server.fetch('/iceberg/v1/config');
    expect([catalog.status, catalog.headers.get('retry-after')]).toEqual([429, '1']);
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await server.fetch(path)).status).toBe(200);
    expect(await (await server.fetch('/metrics')).text()).toContain('tailwater_http_rate_limited_requests 8');

    await server.clock.advance(1500);
    expect(await admitted(() => server.fetch('/v1/streams'), 9)).toBe(3);
  });

  test('has limits of each key, and none for who has no key, who is refused as before', async () => {
    await using server = await limited({ requestsPerSecond: 1, requestsBurst: 6 }, ADMIN);
    const admin = new TailwaterClient({ url: server.url, apiKey: ADMIN });
    const made = await Promise.all(['a', 'a'].map(name => admin.keys.create({ name })));
    const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
    for (const { key } of made) expect(await admitted(() => server.fetch('/v1/streams', bearer(key)), 9)).toBe(6);
    const refused = await problemOf(await server.fetch('/v1/streams', bearer(made[0].key)));
    expect(refused.detail).toContain('The key "a" may send 1 requests per second and 6 at once');
    expect((await problemOf(await server.fetch('/v1/streams', bearer('nobody')))).code).toBe('TW_UNAUTHENTICATED');
    expect(await admitted(() => server.fetch('/v1/streams', bearer(ADMIN)), 9)).toBe(4);
  });

  test('is waited for by the client, which loses and doubles nothing', async () => {
    await using server = await limited({ requestsPerSecond: 10, requestsBurst: 2 });
    const waiting = new TailwaterClient({ url: server.url, maxAttempts: 5 });
    const appends = Array.from({ length: 4 }, (_, n) => waiting.append('events', [{ value: { n } }]));
    const all = Promise.all(appends);
    let done = false;
    void all.finally(() => {
      done = true;
    });
    while (!done) {
      await server.clock.advance(100);
      await new Promise(resolve => setImmediate(resolve));
    }
    await all;
    expect(server.engine.records).toHaveLength(4);
  });
});

describe('a server with limits of bytes', () => {
  const line = (bytes: number): string => `{"text":"${'x'.repeat(bytes - 11)}"}`;
  const post = (
    server: { url: string },
    body: string | Uint8Array<ArrayBuffer> | ReadableStream,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    fetch(`${server.url}/v1/streams/events/records`, {
      method: 'POST',
      headers: { ...NDJSON, ...headers },
      body,
      duplex: 'half',
    } as RequestInit);

  test('counts what is written and nothing else, refuses before a body is read, and lets in what is larger than a burst', async () => {
    await using server = await limited({ bytesPerSecond: 1000, bytesBurst: 2000 });
    expect((await post(server, line(1500))).headers.get('ratelimit')).toBe('"bytes";r=500;t=2');
    expect((await post(server, line(5000))).status).toBe(200);
    expect(server.engine.records).toHaveLength(2);
    const refused = await post(server, line(100));
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, 5]);
    expect(await problemOf(refused)).toMatchObject({ code: 'TW_RATE_LIMITED', data: { limit: 'bytes' } });
    expect(server.engine.records).toHaveLength(2);
    expect((await server.post('/v1/streams/events/query', { text: 'x'.repeat(3000) })).status).toBe(200);
    await server.clock.advance(4501);
    expect((await post(server, line(100))).status).toBe(200);
  });

  test('counts bodies as they are inflated, and those of no stated length', async () => {
    await using server = await limited({ bytesPerSecond: 1000, bytesBurst: 2000 });
    const inflated = `${line(2500)}\n`;
    expect((await post(server, gzipSync(inflated), { 'content-encoding': 'gzip' })).status).toBe(200);
    expect((await post(server, line(100))).status).toBe(429);
    await server.clock.advance(10_000);
    const chunks = new Blob([inflated]).stream();
    expect((await post(server, chunks)).status).toBe(200);
    expect((await post(server, line(100))).status).toBe(429);
  });
});

test('a server that was not told limits has none, and says nothing of them', async () => {
  await using server = await limited({});
  expect(await admitted(() => server.fetch('/v1/streams'), 50)).toBe(50);
  expect((await server.fetch('/v1/streams')).headers.get('ratelimit-policy')).toBeNull();
});
