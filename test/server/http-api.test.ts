import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestEngine, temporaryEngine } from './engine-support.ts';
import { problemOf, startServer, type TestServer } from './http-support.ts';

let engine: TestEngine;
let server: TestServer;

beforeAll(async () => {
  engine = await temporaryEngine();
  server = await startServer(engine.tailwater.engine);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

const NDJSON = { 'content-type': 'application/x-ndjson' };
let created = 0;

async function createStream(settings: object): Promise<string> {
  const name = `s${created++}`;
  const response = await put(`/v1/streams/${name}`, settings);
  expect(response.status).toBe(200);
  return `/v1/streams/${name}`;
}

function put(path: string, body: object): Promise<Response> {
  return server.fetch(path, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function answerOf(response: Response) {
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  return JSON.parse(text);
}

describe('streams', () => {
  test('are created, described, listed and deleted', async () => {
    const path = await createStream({ kind: 'upsert', key: 'id', search: { fields: ['text'] } });
    const name = path.split('/').at(-1);
    const info = await answerOf(await server.fetch(path));
    expect(info).toMatchObject({
      definition: { name, kind: 'upsert', key: ['id'] },
      head: [-1],
      watermark: [-1],
      lag: 0,
      rows: 0,
    });
    expect((await put(path, { kind: 'upsert', key: 'id', search: { fields: ['text'] } })).status).toBe(200);
    expect(await problemOf(await put(path, { kind: 'append' }))).toMatchObject({ code: 'TW_STREAM_EXISTS', status: 409 });
    const { streams } = await answerOf(await server.fetch('/v1/streams'));
    expect(streams).toContainEqual(info);
    expect((await server.fetch(path, { method: 'DELETE' })).status).toBe(204);
    expect(await problemOf(await server.fetch(path))).toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
    expect(await problemOf(await server.fetch(path, { method: 'DELETE' }))).toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
  });

  test.each([
    [{}, 'kind'],
    [{ kind: 'table' }, 'kind'],
    [{ kind: 'append', partitions: 0 }, 'partitions'],
    [{ kind: 'append', shards: 2 }, 'shards'],
    [{ kind: 'append', embed: { provider: 'hash' } }, 'embed.fields'],
  ])('with settings %j are refused', async (settings, field) => {
    expect(await problemOf(await put('/v1/streams/refused', settings))).toMatchObject({
      code: 'TW_BAD_REQUEST',
      data: { field },
    });
  });

  test('with a name that is none are refused', async () => {
    expect(await problemOf(await put('/v1/streams/_internal', { kind: 'append' }))).toMatchObject({ code: 'TW_STREAM_NAME' });
    expect(await problemOf(await put('/v1/streams/a%2Fb', { kind: 'append' }))).toMatchObject({ code: 'TW_STREAM_NAME' });
  });
});

describe('records', () => {
  test('appended as JSON are read back in order, with token and offsets', async () => {
    const path = await createStream({ kind: 'append', partitions: 2 });
    const records = [
      { key: 'a', time: '2026-01-02T03:04:05.678Z', headers: { from: 'test' }, value: { n: 1 } },
      { key: { base64: '/w==' }, value: { n: 2 } },
    ];
    const response = await server.post(`${path}/records`, { records });
    const answer = await answerOf(response);
    expect(answer).toMatchObject({ accepted: 2, rejected: [] });
    expect(response.headers.get('tailwater-token')).toBe(answer.token);
    const read = [];
    for (const { partition } of answer.partitions) {
      const page = await answerOf(await server.fetch(`${path}/records?partition=${partition}&atLeast=${answer.token}`));
      expect(page).toMatchObject({ freshness: { complete: true }, token: expect.any(String) });
      read.push(...page.records);
    }
    read.sort((a, b) => a.value.n - b.value.n);
    expect(read[0]).toMatchObject({ key: 'a', time: '2026-01-02T03:04:05.678Z', headers: { from: 'test' }, value: { n: 1 } });
    expect(read[1]).toMatchObject({ key: { base64: '/w==' }, headers: {} });
  });

  test('keep the text they were sent as, before and after compaction, wherever they are answered', async () => {
    const path = await createStream({ kind: 'upsert', key: 'id', search: { fields: ['text'] } });
    const value = '{"id":12345678901234567890, "text": "needle \\u00e9",  "exact":1.10, "big":1e400}';
    await answerOf(await server.post(`${path}/records`, value, NDJSON));
    for (const compacted of [false, true]) {
      if (compacted) await answerOf(await server.post(`${path}/compact`, {}));
      for (const text of await Promise.all([
        server.fetch(`${path}/records`),
        server.post(`${path}/query`, { text: 'needle' }),
        server.fetch(`${path}/rows/12345678901234567890`),
      ]).then(responses => Promise.all(responses.map(response => response.text())))) {
        expect(text).toContain(`"value":${value}`);
      }
    }
  });

  test('in a JSON body keep the digits of their numbers', async () => {
    const path = await createStream({ kind: 'append' });
    await answerOf(
      await server.post(
        `${path}/records`,
        '{"records":[{"value":{"n":9007199254740993,"m":-0.1000000000000000055511151231257827}}]}',
      ),
    );
    const text = await (await server.fetch(`${path}/records`)).text();
    expect(text).toContain('"value":{"n":9007199254740993,"m":-0.1000000000000000055511151231257827}');
  });

  test('in NDJSON may bring key, time and headers in an envelope', async () => {
    const path = await createStream({ kind: 'append' });
    const line = '{"key":"k","time":1700000000000,"headers":{"a":"b"},"value":{"x":1}}';
    await answerOf(await server.post(`${path}/records?envelope=record`, line, NDJSON));
    await answerOf(await server.post(`${path}/records?envelope=value`, line, NDJSON));
    const { records } = await answerOf(await server.fetch(`${path}/records`));
    expect(records[0]).toMatchObject({ key: 'k', time: '2023-11-14T22:13:20.000Z', headers: { a: 'b' }, value: { x: 1 } });
    expect(records[1]).toMatchObject({ key: null, value: { key: 'k' } });
    expect(await problemOf(await server.post(`${path}/records?envelope=both`, line, NDJSON))).toMatchObject({
      code: 'TW_BAD_REQUEST',
      data: { field: 'envelope' },
    });
  });

  test('that are bad are listed and kept in the dead-letter stream, the others are written', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } } };
    const path = await createStream({ kind: 'upsert', key: 'id', time: { field: 't', unit: 'ms' }, schema });
    const huge = `{"id":"huge","t":1,"text":"${'x'.repeat(1_100_000)}"}`;
    const fields = JSON.stringify({
      id: 'many',
      t: 1,
      ...Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`f${i}`, i])),
    });
    const lines = [
      '{"id":"ok","t":1,"n":1}',
      '{"id":',
      huge,
      '{"t":1}',
      '{"id":"n","t":1,"n":"one"}',
      '{"id":"t","t":"soon"}',
      fields,
      '[1]',
    ];
    const answer = await answerOf(await server.post(`${path}/records`, lines.join('\n'), NDJSON));
    expect(answer.accepted).toBe(1);
    const codes = answer.rejected.map(({ index, code }: { index: number; code: string }) => [index, code]);
    expect(codes).toEqual([
      [1, 'TW_MALFORMED_JSON'],
      [2, 'TW_RECORD_TOO_LARGE'],
      [3, 'TW_KEY_REQUIRED'],
      [4, 'TW_SCHEMA_MISMATCH'],
      [5, 'TW_EVENT_TIME'],
      [6, 'TW_TOO_MANY_FIELDS'],
      [7, 'TW_SCHEMA_MISMATCH'],
    ]);
    const letters = await answerOf(await server.fetch(`${path}.dlq/records`));
    expect(letters.records).toHaveLength(7);
  });

  test('are written once however often a request with an Idempotency-Key is repeated', async () => {
    const path = await createStream({ kind: 'append' });
    const send = (n: number) => server.post(`${path}/records`, { records: [{ value: { n } }] }, { 'idempotency-key': 'order-1' });
    const first = await answerOf(await send(1));
    const again = await answerOf(await send(1));
    expect(again).toMatchObject({ accepted: 1, partitions: first.partitions });
    expect(await problemOf(await send(2))).toMatchObject({ code: 'TW_IDEMPOTENCY_MISMATCH', status: 422 });
    expect((await answerOf(await server.fetch(`${path}/records`))).records).toHaveLength(1);
    const long = { 'idempotency-key': 'x'.repeat(2000) };
    expect(await problemOf(await server.post(`${path}/records`, { records: [] }, long))).toMatchObject({
      code: 'TW_BAD_REQUEST',
    });
  });

  test('are read from an offset, a commit time, an event time and from either end', async () => {
    const path = await createStream({ kind: 'append', time: { field: 't', unit: 's' } });
    const answer = await answerOf(
      await server.post(`${path}/records`, [10, 20, 30].map(t => JSON.stringify({ t })).join('\n'), NDJSON),
    );
    const offsets = async (query: string) => {
      const page = await answerOf(
        await server.fetch(`${path}/records${query}`, { headers: { 'tailwater-token': answer.token } }),
      );
      return page.records.map((record: { offset: number }) => record.offset);
    };
    expect(await offsets('?from=earliest')).toEqual([0, 1, 2]);
    expect(await offsets('?from=1')).toEqual([1, 2]);
    expect(await offsets('?from=1&limit=1')).toEqual([1]);
    expect(await offsets('?from=3')).toEqual([]);
    expect(await offsets('?from=latest')).toEqual([]);
    expect(await offsets('?from=time:2020-01-01')).toEqual([0, 1, 2]);
    expect(await offsets('?from=event:1970-01-01T00:00:15Z')).toEqual([1, 2]);
    const beyond = await problemOf(await server.fetch(`${path}/records?from=4`));
    expect(beyond).toMatchObject({ code: 'TW_OFFSET_OUT_OF_RANGE', status: 416 });
    expect(JSON.stringify(beyond)).toContain('3');
    expect(await problemOf(await server.fetch(`${path}/records?partition=1`))).toMatchObject({ code: 'TW_BAD_REQUEST' });
    expect(await problemOf(await server.fetch(`${path}/records?atLeast=nonsense`))).toMatchObject({ code: 'TW_BAD_TOKEN' });
  });
});

describe('queries', () => {
  test('find by text, vector, both and filter, with freshness and ranks', async () => {
    const path = await createStream({
      kind: 'upsert',
      key: 'id',
      search: { fields: ['text'] },
      embed: { fields: ['text'], dimensions: 64 },
    });
    const rows = ['red apple', 'green apple', 'blue sky'].map((text, id) => ({
      value: { id: String(id), text, length: text.length },
    }));
    const { token } = await answerOf(await server.post(`${path}/records`, { records: rows }));
    for (const [mode, ranks] of [
      ['text', { text: 1 }],
      ['vector', { vector: 1 }],
      ['hybrid', { text: 1, vector: 1 }],
    ] as const) {
      const answer = await answerOf(
        await server.post(`${path}/query`, { text: 'green apple', mode, limit: 2, consistency: { atLeast: token } }),
      );
      expect(answer.hits[0]).toMatchObject({ id: '1', key: '1', tier: 'tail', value: { text: 'green apple' }, ranks });
      expect(answer.freshness).toMatchObject({ complete: true, skipped: [] });
    }
    const filtered = await answerOf(await server.post(`${path}/query`, { filter: { length: { $lt: 9 } }, select: ['text'] }));
    expect(filtered.hits).toHaveLength(1);
    expect(filtered.hits[0].value).toEqual({ text: 'blue sky' });
  });

  test('that cannot be answered say why', async () => {
    const path = await createStream({ kind: 'append', embed: { fields: ['text'], dimensions: 8 } });
    const code = async (query: object) => (await problemOf(await server.post(`${path}/query`, query))).code;
    expect(await code({ vector: [1, 2, 3] })).toBe('TW_VECTOR_LENGTH');
    expect(await code({ text: 'x', mode: 'text' })).toBe('TW_NOT_SEARCHABLE');
    expect(await code({ filter: { a: { $like: 'x' } } })).toBe('TW_BAD_REQUEST');
    expect(await code({ consistency: { atLeast: 'nonsense' } })).toBe('TW_BAD_TOKEN');
    expect(await code({ consistency: { asOf: '2999-01-01T00:00:00Z' } })).toBe('TW_BAD_REQUEST');
  });

  test('on a field that the stream’s schema rules out are refused', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false };
    const path = await createStream({ kind: 'append', schema });
    expect(await problemOf(await server.post(`${path}/query`, { filter: { b: 1 } }))).toMatchObject({ code: 'TW_UNKNOWN_FIELD' });
  });
});

describe('rows', () => {
  test('are read and deleted by any key', async () => {
    const path = await createStream({ kind: 'upsert' });
    const keys = ['plain', 'a/b c?d=e&f#g', 'ключ 🗝', '%41', '.', '..', ' '];
    const binary = Buffer.from([0, 255, 128, 47]);
    const records = [
      ...keys.map(key => ({ key, value: { key } })),
      { key: { base64: binary.toString('base64') }, value: { key: 'binary' } },
    ];
    await answerOf(await server.post(`${path}/records`, { records }));
    const base64url = (bytes: Buffer) => `${path}/rows/${bytes.toString('base64url')}?keyEncoding=base64url`;
    for (const key of keys) {
      const paths = [base64url(Buffer.from(key)), ...(key.startsWith('.') ? [] : [`${path}/rows/${encodeURIComponent(key)}`])];
      for (const row of paths) expect((await answerOf(await server.fetch(row))).record).toMatchObject({ key, value: { key } });
    }
    const row = await answerOf(await server.fetch(base64url(binary)));
    expect(row).toMatchObject({
      record: { key: { base64: binary.toString('base64') } },
      tier: 'tail',
      freshness: { complete: true },
    });
    const deleted = await server.fetch(base64url(binary), { method: 'DELETE' });
    expect(await answerOf(deleted)).toMatchObject({ accepted: 1 });
    expect(await problemOf(await server.fetch(base64url(binary)))).toMatchObject({ code: 'TW_ROW_NOT_FOUND', status: 404 });
    expect(await problemOf(await server.fetch(`${path}/rows/a%2Bb?keyEncoding=base64url`))).toMatchObject({
      code: 'TW_BAD_REQUEST',
    });
  });

  test('of the same new key twice in a batch are one, the newest', async () => {
    const path = await createStream({ kind: 'upsert', key: 'id' });
    const records = [1, 2, 3].map(n => ({ value: { id: 'same', n } }));
    await answerOf(await server.post(`${path}/records`, { records }));
    for (const compacted of [false, true]) {
      if (compacted) await answerOf(await server.post(`${path}/compact`, {}));
      expect((await answerOf(await server.fetch(`${path}/rows/same`))).record.value).toEqual({ id: 'same', n: 3 });
      expect((await answerOf(await server.post(`${path}/query`, {}))).hits).toHaveLength(1);
      expect((await answerOf(await server.fetch(path))).rows).toBe(1);
    }
  });

  test('of an append stream do not exist', async () => {
    const path = await createStream({ kind: 'append' });
    expect(await problemOf(await server.fetch(`${path}/rows/x`))).toMatchObject({ code: 'TW_NOT_UPSERT' });
    expect(await problemOf(await server.fetch(`${path}/rows/x`, { method: 'DELETE' }))).toMatchObject({ code: 'TW_NOT_UPSERT' });
  });
});

describe('tables', () => {
  test('hold what was acknowledged once compaction returns, and fields named like the system’s', async () => {
    const path = await createStream({ kind: 'append' });
    expect(await answerOf(await server.fetch(`${path}/table`))).toMatchObject({ state: null });
    await answerOf(await server.post(`${path}/records`, '{"_offset":"mine","a":1}\n{"_offset":"yours","a":2}', NDJSON));
    const table = await answerOf(await server.post(`${path}/compact`, { full: true }));
    expect(table).toMatchObject({ state: { rowCount: 2, watermark: [1] }, token: expect.any(String) });
    expect(await answerOf(await server.fetch(`${path}/table`))).toMatchObject({ state: { rowCount: 2 } });
    expect((await server.fetch(`${path}/compact`, { method: 'POST' })).status).toBe(200);
    const hits = (await answerOf(await server.post(`${path}/query`, { filter: { _offset: 'mine' } }))).hits;
    expect(hits).toHaveLength(1);
    expect(hits[0]).toMatchObject({ tier: 'table', value: { _offset: 'mine', a: 1 } });
  });
});

describe('operations', () => {
  test('health, readiness and metrics', async () => {
    expect(await answerOf(await server.fetch('/healthz'))).toMatchObject({
      status: 'ok',
      problems: [],
      streams: expect.any(Number),
    });
    expect(await answerOf(await server.fetch('/readyz'))).toMatchObject({ status: 'ok' });
    const metrics = await server.fetch('/metrics');
    expect(metrics.headers.get('content-type')).toContain('text/plain');
    const text = await metrics.text();
    expect(text).toMatch(/^tailwater_http_requests_total\{method="GET",route="\/readyz",status="2xx"\} \d+$/m);
    expect(text).toMatch(/^tailwater_log_/m);
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(match => match[1]);
    expect(new Set(names).size).toBe(names.length);
  });

  test('progress of ingested sources is kept with the rows', async () => {
    const path = await createStream({ kind: 'append' });
    const progress = { source: 'dir/ä.ndjson', contentHash: 'abc', position: 1, done: false };
    const header = JSON.stringify(progress).replace('ä', '\\u00e4');
    await answerOf(await server.post(`${path}/records`, '{"a":1}', { ...NDJSON, 'tailwater-source': header }));
    const answer = await answerOf(await server.post('/v1/sources/progress', { sources: ['dir/ä.ndjson', 'other'] }));
    expect(answer).toEqual({ progress: [progress] });
    const wrong = { ...NDJSON, 'tailwater-source': '{"source":1}' };
    expect(await problemOf(await server.post(`${path}/records`, '{"a":1}', wrong))).toMatchObject({ code: 'TW_BAD_REQUEST' });
  });

  test('the OpenAPI document lists every route with its methods, answers and problems', async () => {
    const document = await answerOf(await server.fetch('/openapi.json'));
    expect(document.openapi).toBe('3.1.0');
    // The Iceberg catalog has the errors of its own protocol, and a test of its own.
    const paths = Object.entries<Record<string, { responses: object }>>(document.paths).filter(
      ([path]) => !path.startsWith('/iceberg/'),
    );
    const routes = paths.flatMap(([path, methods]) => Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`));
    expect(routes.sort()).toEqual(
      [
        'POST /v1/steps',
        'GET /v1/steps',
        'POST /v1/keys',
        'GET /v1/keys',
        'DELETE /v1/keys/{key}',
        'PUT /v1/streams/{stream}',
        'GET /v1/streams',
        'GET /v1/streams/{stream}',
        'PATCH /v1/streams/{stream}',
        'DELETE /v1/streams/{stream}',
        'POST /v1/streams/{stream}/records',
        'GET /v1/streams/{stream}/records',
        'POST /v1/streams/{stream}/query',
        'POST /v1/streams/{stream}/query/live',
        'GET /v1/streams/{stream}/rows/{key}',
        'DELETE /v1/streams/{stream}/rows/{key}',
        'GET /v1/streams/{stream}/scan',
        'POST /v1/sql',
        'POST /v1/streams/{stream}/compact',
        'GET /v1/streams/{stream}/table',
        'POST /v1/streams/{stream}/tags',
        'GET /v1/streams/{stream}/tags',
        'DELETE /v1/streams/{stream}/tags/{tag}',
        'PUT /v1/streams/{stream}/documents/{document}',
        'GET /v1/streams/{stream}/documents/{document}',
        'DELETE /v1/streams/{stream}/documents/{document}',
        'GET /v1/streams/{stream}/documents',
        'PUT /v1/features/{view}',
        'GET /v1/features',
        'GET /v1/features/{view}',
        'DELETE /v1/features/{view}',
        'POST /v1/features/{view}/plan',
        'POST /v1/features/{view}/online',
        'POST /v1/features/online',
        'POST /v1/features/historical',
        'POST /v1/features/lint',
        'PUT /v1/features/{view}/log',
        'GET /v1/features/{view}/skew',
        'GET /v1/features/{view}/report',
        'GET /v1/datasets',
        'GET /v1/datasets/{dataset}',
        'DELETE /v1/datasets/{dataset}',
        'GET /v1/datasets/{dataset}/rows',
        'POST /v1/context',
        'GET /v1/contexts',
        'PUT /v1/contexts/{context}',
        'GET /v1/contexts/{context}',
        'DELETE /v1/contexts/{context}',
        'POST /v1/contexts/{context}',
        'GET /v1/contexts/{context}/live',
        'POST /v1/admin/collect',
        'POST /v1/sources/progress',
        'GET /healthz',
        'GET /readyz',
        'GET /metrics',
        'GET /openapi.json',
      ].sort(),
    );
    for (const [, methods] of paths) {
      for (const { responses } of Object.values(methods)) {
        expect(responses).toHaveProperty('default.content.application/problem+json');
        expect(Object.keys(responses).some(status => status.startsWith('2'))).toBe(true);
      }
    }
  });
});
