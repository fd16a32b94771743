import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import type { TailwaterApi } from '../../src/index.ts';
import { type TestEngine, temporaryEngine } from './engine-support.ts';
import { fakeEngine } from './fake-engine.ts';
import { problemOf, startServer, type TestServer } from './http-support.ts';

const ROWS = 40_000;
let engine: TestEngine;
let server: TestServer;
let client: TailwaterClient;

beforeAll(async () => {
  engine = await temporaryEngine();
  server = await startServer(engine.tailwater.engine);
  client = new TailwaterClient({ url: server.url });
  await client.createStream('events', { kind: 'append' });
  for (let first = 0; first < ROWS; first += 10_000) {
    const lines = Array.from({ length: 10_000 }, (_, at) =>
      JSON.stringify({ id: `e${first + at}`, n: first + at, note: 'x'.repeat(50) }),
    );
    await client.appendNdjson('events', lines.join('\n'));
    if (first === 10_000) await client.compact('events');
  }
});

afterAll(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

describe('GET /v1/streams/{s}/scan', () => {
  test.each(['client', 'embedded engine'])('gives the %s all rows in each format, with freshness and token', async who => {
    const api: TailwaterApi = who === 'client' ? client : engine.tailwater;
    const scan = await api.scan('events', { columns: ['n', 'id'] });
    expect(scan.freshness).toMatchObject({ complete: true, tailRows: ROWS - 20_000 });
    const table = tableFromIPC(await bytesOf(scan.body));
    expect(table.numRows).toBe(ROWS);
    expect(table.getChild('n')!.get(ROWS - 1)).toBe(BigInt(ROWS - 1));
    const lines = await bytesOf(
      (await api.scan('events', { format: 'ndjson', columns: ['n'], filter: { n: { $gte: ROWS - 2 } } })).body,
    );
    expect(lines.toString()).toBe(`{"n":${ROWS - 2}}\n{"n":${ROWS - 1}}\n`);
    const parquet = await bytesOf((await api.scan('events', { format: 'parquet', shard: { index: 0, count: 4 } })).body);
    expect(parquet.subarray(0, 4).toString() + parquet.subarray(-4).toString()).toBe('PAR1PAR1');
    const again = await api.scan('events', { columns: ['n', 'id'], consistency: { asOf: scan.token } });
    expect(again.token).toBe(scan.token);
  });

  test('says what is wrong before it begins', async () => {
    for (const query of [
      'columns=nothing',
      'shard=4',
      'shard=4/4',
      'filter=n',
      'format=xml',
      'afterSeq=x',
      'asOf=2000-01-01&strong=true',
    ]) {
      expect((await problemOf(await server.fetch(`/v1/streams/events/scan?${query}`))).status, query).toBe(400);
    }
    expect(await problemOf(await server.fetch('/v1/streams/none/scan'))).toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
  });

  test.each(['arrow', 'ndjson'] as const)('that fails half way never looks whole, as %s', async format => {
    const failing = fakeEngine({
      scan: async (name, request, signal) => {
        const scan = await engine.tailwater.engine.scan(name, request, signal);
        const batches = (async function* () {
          for await (const batch of scan.batches) {
            yield batch;
            throw new TailwaterError('TW_SNAPSHOT_EXPIRED');
          }
        })();
        return { ...scan, batches };
      },
    });
    await using broken = await startServer(failing);
    const scan = await new TailwaterClient({ url: broken.url }).scan('events', { format });
    await expect(bytesOf(scan.body)).rejects.toMatchObject({ code: 'TW_UNREACHABLE', data: { resume: { asOf: scan.token } } });
    const response = await broken.fetch(`/v1/streams/events/scan?format=${format}`);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  test('that nobody reads on costs a bounded buffer, and lets go of its pin', async () => {
    let batches = 0;
    let ended = false;
    const counting = fakeEngine({
      scan: async (name, request, signal) => {
        const scan = await engine.tailwater.engine.scan(name, request, signal);
        const endless = (async function* () {
          try {
            for (;;) {
              for await (const batch of (await engine.tailwater.engine.scan(name, request)).batches) {
                batches++;
                yield batch;
              }
            }
          } finally {
            ended = true;
          }
        })();
        return { ...scan, batches: endless };
      },
    });
    await using slow = await startServer(counting);
    const stop = new AbortController();
    const response = await slow.fetch('/v1/streams/events/scan', { signal: stop.signal });
    await expect.poll(() => batches).toBeGreaterThan(0);
    // What sockets and streams hold fills up, then reading stops.
    const settled = async (): Promise<boolean> => {
      const before = batches;
      await new Promise(resolve => setTimeout(resolve, 300));
      return batches === before;
    };
    await expect.poll(settled, { timeout: 20_000 }).toBe(true);
    expect(batches).toBeLessThan(60);
    stop.abort();
    await response.body?.cancel().catch(() => {});
    await expect.poll(() => ended).toBe(true);
  });
});

describe('POST /v1/sql', () => {
  test('answers client and embedded engine alike, digits included', async () => {
    const sql = 'SELECT max(n) AS top, count(*) AS "all" FROM events WHERE n < 30000';
    const answers = await Promise.all([client.sql(sql), engine.tailwater.sql(sql)]);
    for (const { columns, rows, freshness } of answers) {
      expect(columns).toEqual([
        { name: 'top', type: 'BIGINT' },
        { name: 'all', type: 'BIGINT' },
      ]);
      expect(rows).toEqual([[29_999, 30_000]]);
      expect(freshness.events).toMatchObject({ complete: true });
    }
    const response = await server.post('/v1/sql', { sql: 'SELECT 9007199254740993' });
    expect(await response.text()).toContain('"rows":[[9007199254740993]]');
    expect(response.headers.get('tailwater-token')).toMatch(/^[\w-]+$/);
  });

  test('refuses with a problem document', async () => {
    expect(await problemOf(await server.post('/v1/sql', { sql: 'DROP TABLE events' }))).toMatchObject({
      code: 'TW_SQL_NOT_ALLOWED',
      status: 403,
    });
    expect(await problemOf(await server.post('/v1/sql', { sql: 'SELECT n FROM events', limit: 5 }))).toMatchObject({
      code: 'TW_SQL_TOO_LARGE',
    });
    expect(await problemOf(await server.post('/v1/sql', { query: 'x' }))).toMatchObject({ code: 'TW_BAD_REQUEST' });
    await expect(client.sql('SELECT nothing FROM events')).rejects.toMatchObject({ code: 'TW_SQL_INVALID' });
  });
});
