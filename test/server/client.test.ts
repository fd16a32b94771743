import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import type { Freshness, StreamSettings } from '../../src/index.ts';
import { cuttingProxy } from './cutting-proxy.ts';
import { temporaryEngine } from './engine-support.ts';
import { startServer } from './http-support.ts';
import { instantClock } from './instant-clock.ts';

async function clientOnEngine(options: Parameters<typeof temporaryEngine>[0] = {}) {
  const engine = await temporaryEngine(options);
  const server = await startServer(engine.tailwater.engine);
  const client = new TailwaterClient({ url: server.url, clock: instantClock() });
  return {
    ...engine,
    server,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
    },
  };
}

/** What depends on the moment of asking. */
function timeless<T extends object>(answer: T): T {
  return JSON.parse(
    JSON.stringify(answer, (name, value) =>
      name === 'freshness' ? { ...(value as Freshness), newestAgeMs: 0 } : name === 'ageMs' || name === 'uptimeMs' ? 0 : value,
    ),
  );
}

describe('the client and the embedded engine', () => {
  test('give the same answers under the same names', async () => {
    await using node = await clientOnEngine();
    const { client, tailwater } = node;
    const settings: StreamSettings = {
      kind: 'upsert',
      key: 'id',
      search: { fields: ['text'] },
      embed: { fields: ['text'], dimensions: 32 },
    } as const;
    expect(timeless(await client.createStream('docs', settings))).toEqual(
      timeless(await tailwater.createStream('docs', settings)),
    );
    const { token } = await client.append('docs', [
      { value: { id: 'a/b', text: 'the quick brown fox', n: 1 }, headers: { h: 'ü' }, time: '2026-01-01T00:00:00Z' },
      { value: { id: '', text: 'jumps over', n: 2 } },
    ]);
    await client.appendNdjson('docs', '{"id":"..","text":"the lazy dog","n":3}\n');
    await tailwater.appendNdjson('docs', '{"value":{"id":"e","text":"a quick end","n":4}}', { envelope: true });
    for (const compacted of [false, true]) {
      if (compacted) expect(timeless(await client.compact('docs'))).toEqual(timeless(await tailwater.getTable('docs')));
      for (const consistency of [{ strong: true }, { atLeast: token }, { asOf: token }, { maxStalenessMs: 1000 }] as const) {
        const query = { text: 'quick', select: ['text', 'n'], filter: { n: { $gt: 0 } }, consistency };
        expect(timeless(await client.query('docs', query))).toEqual(timeless(await tailwater.query('docs', query)));
        const read = { from: 1, limit: 2, consistency };
        expect(timeless(await client.read('docs', read))).toEqual(timeless(await tailwater.read('docs', read)));
        const row = await client.getRow('docs', 'a/b', { consistency });
        expect(timeless(row)).toEqual(timeless(await tailwater.getRow('docs', 'a/b', { consistency })));
      }
      for (const key of ['', '..', Buffer.from('e')]) {
        expect(timeless(await client.getRow('docs', key))).toEqual(timeless(await tailwater.getRow('docs', key)));
      }
      expect(timeless(await client.getStream('docs'))).toEqual(timeless(await tailwater.getStream('docs')));
      expect(timeless(await client.listStreams())).toEqual(timeless(await tailwater.listStreams()));
      expect(timeless(await client.getTable('docs'))).toEqual(timeless(await tailwater.getTable('docs')));
      expect(timeless(await client.health())).toEqual(timeless(await tailwater.health()));
    }
    expect(await client.metrics()).toContain('tailwater_http_requests_total');
    await client.deleteRow('docs', '..');
    for (const api of [client, tailwater]) {
      await expect(api.getRow('docs', '..')).rejects.toMatchObject({ name: 'TailwaterError', code: 'TW_ROW_NOT_FOUND' });
    }
    await client.deleteStream('docs');
    for (const api of [client, tailwater])
      await expect(api.getStream('docs')).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
  });

  test('reject with the same code, message and facts', async () => {
    await using node = await clientOnEngine();
    await node.client.createStream('s', { kind: 'append' });
    for (const call of [
      (api: typeof node.client | typeof node.tailwater) => api.read('s', { from: 5 }),
      (api: typeof node.client | typeof node.tailwater) => api.createStream('s', { kind: 'upsert' }),
      (api: typeof node.client | typeof node.tailwater) => api.query('none', {}),
      (api: typeof node.client | typeof node.tailwater) => api.read('s', { from: 'never' }),
    ]) {
      const [remote, embedded] = await Promise.all(
        [node.client, node.tailwater].map(api =>
          call(api).then(
            () => null,
            error => error,
          ),
        ),
      );
      expect(remote).toMatchObject({ code: embedded.code, message: embedded.message });
      expect(remote.data).toEqual(embedded.data);
    }
  });

  test('keep progress of ingested sources with any name', async () => {
    await using node = await clientOnEngine();
    await node.client.createStream('s', { kind: 'append' });
    const source = { source: 'ordner/„ä“ 🗝.ndjson', contentHash: 'h', position: 2, done: true };
    await node.client.appendNdjson('s', '{"a":1}\n{"a":2}', { source, idempotencyKey: 'schlüssel' });
    expect(await node.client.sourceProgress([source.source, 'x'])).toEqual([source]);
    expect(await node.tailwater.sourceProgress([source.source])).toEqual([source]);
  });
});

describe('nothing is lost and nothing is doubled', () => {
  test('when replies to appends are lost', async () => {
    await using node = await clientOnEngine();
    await node.client.createStream('s', { kind: 'append' });
    let calls = 0;
    const losing = (async (input: string, init: RequestInit) => {
      const response = await fetch(input, init);
      await response.arrayBuffer();
      if (++calls % 3 !== 0)
        throw new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) });
      return fetch(input, init);
    }) as typeof fetch;
    const client = new TailwaterClient({ url: node.server.url, fetch: losing, clock: instantClock() });
    for (let n = 0; n < 10; n++) expect(await client.append('s', [{ value: { n } }])).toMatchObject({ accepted: 1 });
    const { records } = await node.tailwater.read('s', { limit: 100 });
    expect(records.map(({ value }) => value)).toEqual(Array.from({ length: 10 }, (_, n) => ({ n })));
  });

  test('when the connection of a live follow breaks, across compactions', async () => {
    await using node = await clientOnEngine();
    await node.client.createStream('s', { kind: 'append', partitions: 2 });
    await using proxy = await cuttingProxy(node.server.url);
    const client = new TailwaterClient({ url: proxy.url, clock: instantClock() });
    let sent = 0;
    const append = (count: number) =>
      node.client.append(
        's',
        Array.from({ length: count }, () => ({ key: `k${sent}`, value: { n: sent++ } })),
      );
    await append(5);
    const seen: number[] = [];
    for await (const { record } of client.follow('s', { from: 'earliest' })) {
      seen.push((record.value as { n: number }).n);
      if (seen.length === 60) break;
      if (seen.length % 15 === 0) proxy.cut();
      if (seen.length % 25 === 0) await node.client.compact('s');
      if (seen.length === sent) await append(5);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n));
    await client.close();
  });

  test('a client reads what it has just written, every time', async () => {
    await using node = await clientOnEngine();
    await node.client.createStream('s', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
    for (let n = 0; n < 50; n++) {
      await node.client.append('s', [{ value: { id: 'one', text: `word${n}` } }]);
      const { hits, freshness } = await node.client.query('s', { text: `word${n}` });
      expect([hits.length, freshness.complete]).toEqual([1, true]);
    }
  });

  test('when the tail is full: writes wait, what was acknowledged stays', async () => {
    await using node = await clientOnEngine({ maxTailRows: 3 });
    const client = new TailwaterClient({ url: node.server.url, maxAttempts: 1 });
    await client.createStream('s', { kind: 'append' });
    let accepted = 0;
    const full = await (async () => {
      for (;;) {
        const refusal = await client.append('s', [{ value: { n: accepted } }]).then(
          () => null,
          error => error,
        );
        if (refusal !== null) return refusal;
        accepted++;
      }
    })();
    expect(full).toMatchObject({ code: 'TW_TAIL_FULL', retryAfterMs: expect.any(Number) });
    expect((await client.read('s')).records).toHaveLength(accepted);
    await client.compact('s');
    await client.append('s', [{ value: { n: accepted } }]);
    expect((await client.read('s')).records).toHaveLength(accepted + 1);
  });
});

describe('a stopping server', () => {
  test('answers what is in flight, refuses what is new, and what it acknowledged is there at the next start', async () => {
    await using node = await clientOnEngine();
    await node.client.createStream('s', { kind: 'append' });
    const flying = Array.from({ length: 200 }, (_, n) => node.client.append('s', [{ value: { n } }]).catch(error => error));
    await flying[0];
    await node.server.server.close();
    const outcomes = await Promise.all(flying);
    const acknowledged = outcomes.filter(outcome => !(outcome instanceof Error)).length;
    const { rows } = await node.tailwater.getStream('s');
    expect(acknowledged).toBeGreaterThan(0);
    const unknown = outcomes.filter(outcome => outcome.code === 'TW_OUTCOME_UNKNOWN').length;
    expect(rows).toBeGreaterThanOrEqual(acknowledged);
    expect(rows).toBeLessThanOrEqual(acknowledged + unknown);
    for (const outcome of outcomes)
      if (outcome instanceof Error)
        expect(outcome).toMatchObject({ code: expect.stringMatching(/^TW_(CLOSED|UNREACHABLE|OUTCOME_UNKNOWN)$/) });
  });
});
