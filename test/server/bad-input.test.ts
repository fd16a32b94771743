import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AppendAnswer, QueryAnswer, ReadAnswer, RowAnswer, StreamInfo } from '../../src/index.ts';
import { type TestEngine, temporaryEngine } from './engine-support.ts';
import { problemOf, startServer, type TestServer } from './http-support.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const JSON_TYPE = { 'content-type': 'application/json' };

let engine: TestEngine;
let server: TestServer;
let streams = 0;
beforeAll(async () => {
  engine = await temporaryEngine();
  server = await startServer(engine.tailwater.engine);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

async function createStream(settings: object): Promise<string> {
  const path = `/v1/streams/bad-${streams++}`;
  const init = { method: 'PUT', body: JSON.stringify(settings), headers: JSON_TYPE };
  await answerOf(await server.fetch(path, init));
  return path;
}

async function answerOf<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

const send = async (path: string, body: string, headers: Record<string, string> = NDJSON): Promise<AppendAnswer> =>
  answerOf(await server.post(`${path}/records`, body, headers));
const find = async (path: string, filter: object): Promise<QueryAnswer['hits']> =>
  (await answerOf<QueryAnswer>(await server.post(`${path}/query`, { filter }))).hits;
const compact = async (path: string): Promise<unknown> => answerOf(await server.post(`${path}/compact`, { full: true }));
const textOf = async (path: string): Promise<string> => (await server.fetch(`${path}/records?limit=10000`)).text();

/** Before compaction and after it. */
async function onBothTiers(path: string, check: (tier: 'tail' | 'table') => Promise<void>): Promise<void> {
  await check('tail');
  await compact(path);
  await check('table');
}

const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
const RECURSIVE = {
  type: 'object',
  $defs: { list: { type: 'array', items: { $ref: '#/$defs/list' } } },
  properties: { a: { $ref: '#/$defs/list' }, ok: { type: 'integer' } },
};

describe('a bad record, however bad, is rejected alone', () => {
  const good = '{"ok":1}';
  const long = 'x'.repeat(100_000);
  const controls = '\u0001'.repeat(3000);

  test.each<[string, string, string, Record<string, string>, string]>([
    ['a member of a long name', `{"records":[{"${long}":1},{"value":${good}}]}`, 'TW_SCHEMA_MISMATCH', JSON_TYPE, ''],
    [
      'a header of a long name',
      `{"records":[{"value":{},"headers":{"${long}":1}},{"value":${good}}]}`,
      'TW_SCHEMA_MISMATCH',
      JSON_TYPE,
      '',
    ],
    ['deep nesting', `${nested(400_000)}\n${good}`, 'TW_TOO_DEEP', NDJSON, ''],
    ['deep nesting in JSON', `{"records":[{"value":${nested(5000)}},{"value":${good}}]}`, 'TW_TOO_DEEP', JSON_TYPE, ''],
    [
      'deep nesting and long digits',
      `{"value":{"a":${nested(5000)},"n":${'9'.repeat(20)}}}\n{"value":${good}}`,
      'TW_TOO_DEEP',
      NDJSON,
      '?envelope=record',
    ],
    ['a zero byte', `\u0000\n${good}`, 'TW_MALFORMED_JSON', NDJSON, ''],
    ['control characters', `${controls}\n${good}`, 'TW_MALFORMED_JSON', NDJSON, ''],
  ])('%s', async (_name, body, code, headers, query) => {
    for (const settings of [{ kind: 'append' }, { kind: 'append', schema: RECURSIVE, search: { fields: ['a'] } }]) {
      const path = await createStream(settings);
      const answer = await answerOf<AppendAnswer>(
        await server.post(`${path}/records${query}`, body, { ...headers, 'idempotency-key': `${path}-${code}` }),
      );
      expect(answer).toMatchObject({ accepted: 1, rejected: [{ index: 0, code }] });
      expect(answer.rejected[0].message.length).toBeLessThanOrEqual(400);
      const { records } = await answerOf<ReadAnswer>(await server.fetch(`${path}.dlq/records`));
      expect(records.map(({ value }) => value)).toMatchObject([{ index: 0, code }]);
      await onBothTiers(path, async tier => expect(await find(path, { ok: 1 })).toMatchObject([{ offset: 0, tier }]));
    }
  });

  test('among thousands like it, which grow when they are kept as dead letters', async () => {
    const path = await createStream({ kind: 'append' });
    const lines = Array.from({ length: 3000 }, (_, n) => (n % 3 === 0 ? `{"n":${n}}` : controls));
    const answer = await send(path, lines.join('\n'));
    expect([answer.accepted, answer.rejected.length]).toEqual([1000, 2000]);
    expect(await answerOf<StreamInfo>(await server.fetch(path))).toMatchObject({ rows: 1000 });
    expect(await answerOf<StreamInfo>(await server.fetch(`${path}.dlq`))).toMatchObject({ rows: 2000 });
  });
});

describe('a bad request is refused whole, and nothing of it is written', () => {
  const number = '12345678901234567890';

  test.each<[string, string, Record<string, string>, string]>([
    [
      'records that cannot be told apart',
      `{"records":[{"value":{"n":${number}}},{"value":${nested(5000)}}]}`,
      JSON_TYPE,
      'TW_TOO_DEEP',
    ],
    ['a body cut short', '{"records":[{"value":{"n":1}}', JSON_TYPE, 'TW_MALFORMED_JSON'],
    ['a body that is a list', '[{"value":{"n":1}}]', JSON_TYPE, 'TW_BAD_REQUEST'],
    ['an Idempotency-Key of 2,000 characters', '{"n":1}', { ...NDJSON, 'idempotency-key': 'k'.repeat(2000) }, 'TW_BAD_REQUEST'],
  ])('%s', async (_name, body, headers, code) => {
    const path = await createStream({ kind: 'append' });
    const problem = await problemOf(await server.post(`${path}/records`, body, headers));
    expect(problem).toMatchObject({ code, action: expect.stringMatching(/written/) });
    expect(await answerOf<StreamInfo>(await server.fetch(path))).toMatchObject({ rows: 0, head: [-1] });
    expect(await problemOf(await server.fetch(`${path}.dlq/records`))).toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
  });

  test('an Idempotency-Key used again for numbers that differ beyond 2^53 only', async () => {
    const path = await createStream({ kind: 'append' });
    const body = (digits: string) => `{"records":[{"value":{"n":${digits}}}]}`;
    const headers = { ...JSON_TYPE, 'idempotency-key': path };
    await send(path, body('9007199254740993'), headers);
    await send(path, body('9007199254740993'), headers);
    const other = await server.post(`${path}/records`, body('9007199254740992'), headers);
    expect(await problemOf(other)).toMatchObject({ code: 'TW_IDEMPOTENCY_MISMATCH' });
    expect(await answerOf<StreamInfo>(await server.fetch(path))).toMatchObject({ rows: 1 });
  });

  test('a schema nested without end', async () => {
    for (const levels of [300, 100_000]) {
      const body = `{"kind":"append","schema":${'{"not":'.repeat(levels)}{}${'}'.repeat(levels)}}`;
      const response = await server.fetch('/v1/streams/endless', { method: 'PUT', body, headers: JSON_TYPE });
      expect(await problemOf(response)).toMatchObject({ code: 'TW_BAD_REQUEST', detail: expect.stringContaining('schema') });
    }
    expect((await server.fetch('/v1/streams/endless')).status).toBe(404);
  });

  test('a read beyond the head, whichever tier holds the records', async () => {
    const path = await createStream({ kind: 'append' });
    await send(path, '{"n":1}\n{"n":2}');
    await onBothTiers(path, async () => {
      const problem = await problemOf(await server.fetch(`${path}/records?from=3`));
      expect(problem).toMatchObject({ code: 'TW_OFFSET_OUT_OF_RANGE', data: { next: 2 } });
      expect(await answerOf<ReadAnswer>(await server.fetch(`${path}/records?from=2`))).toMatchObject({ records: [], next: 2 });
    });
  });
});

describe('names of fields', () => {
  const SYSTEM = [
    '_partition',
    '_offset',
    '_seq',
    '_key',
    '_key_text',
    '_time',
    '_ingested_at',
    '_headers',
    '_embedding',
    '_extra',
    '_raw',
  ];
  const ENGINE = ['_rowid', '_rowaddr', '_distance', '_score', '_relevance_score', 'u_offset', '__offset', '_'];
  const SYNTAX = [' ', 'a.b', 'a"b', 'a`b', "a'b", 'a\\b', 'a[0]', 'a\nb', 'nul\u0000x', '*', '%', 'select', 'ключ🗝', '\ud800'];
  const CASES = ['Name', 'name', 'NAME', 'İ', 'i̇', 'constructor', 'toString', '__proto__', 'hasOwnProperty'];

  test('like the system’s, the table engine’s, SQL’s or JavaScript’s are fields like others, alone and together', async () => {
    const names = [...SYSTEM, ...ENGINE, ...SYNTAX, ...CASES];
    const path = await createStream({ kind: 'append' });
    const all = `{${names.map((name, n) => `${JSON.stringify(name)}:${-1 - n}`).join(',')}}`;
    const lines = [...names.map((name, n) => `{${JSON.stringify(name)}:${n}}`), all];
    expect((await send(path, lines.join('\n'))).accepted).toBe(lines.length);
    await onBothTiers(path, async tier => {
      const text = await textOf(path);
      expect(lines.filter(line => !text.includes(`"value":${line}}`))).toEqual([]);
      for (const [n, name] of names.entries()) {
        for (const [value, offset] of [
          [n, n],
          [-1 - n, names.length],
        ]) {
          const filter = JSON.parse(`{${JSON.stringify(name)}:${value}}`);
          expect(await find(path, filter), JSON.stringify(name)).toMatchObject([{ offset, tier }]);
        }
      }
    });
  });

  test('may be 50,000 in a stream: the table has 500 columns, and every field is found', async () => {
    const path = await createStream({ kind: 'append' });
    const lines = Array.from({ length: 5000 }, (_, n) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: 10 }, (_, k) => [`f${n * 10 + k}`, n]))),
    );
    expect((await send(path, lines.join('\n'))).accepted).toBe(5000);
    await onBothTiers(path, async tier => {
      for (const n of [0, 49, 50, 4999]) expect(await find(path, { [`f${n * 10 + 9}`]: n })).toMatchObject([{ offset: n, tier }]);
      expect(await find(path, { f49999: { $exists: true } })).toHaveLength(1);
    });
    const info = await answerOf<StreamInfo>(await server.fetch(path));
    expect(info.fields.length).toBeLessThanOrEqual(500);
    expect(await answerOf<ReadAnswer>(await server.fetch(`${path}/records?limit=10000`))).toMatchObject({ next: 5000 });
  });
});

describe('keys and numbers that JavaScript or text would change', () => {
  test('binary keys stay apart, are updated and deleted, on both tiers', async () => {
    const keys = [[0], [0, 0], [255], [254], [0xc3], [0xc3, 0x28], [97], [97, 0]].map(bytes => Buffer.from(bytes));
    const path = await createStream({ kind: 'upsert' });
    const put = (values: (n: number) => object | null) =>
      send(
        path,
        JSON.stringify({ records: keys.map((key, n) => ({ key: { base64: key.toString('base64') }, value: values(n) })) }),
        JSON_TYPE,
      );
    const row = (key: Buffer) => server.fetch(`${path}/rows/${key.toString('base64url')}?keyEncoding=base64url`);
    await put(n => ({ n }));
    await onBothTiers(path, async tier => {
      for (const [n, key] of keys.entries())
        expect(await answerOf<RowAnswer>(await row(key))).toMatchObject({ tier, record: { value: { n } } });
      expect(new Set((await find(path, {})).map(hit => hit.id)).size).toBe(keys.length);
    });
    await put(n => (n % 2 === 0 ? null : { n, changed: true }));
    await onBothTiers(path, async () => {
      for (const [n, key] of keys.entries()) {
        if (n % 2 === 0) expect(await problemOf(await row(key))).toMatchObject({ code: 'TW_ROW_NOT_FOUND' });
        else expect(await answerOf<RowAnswer>(await row(key))).toMatchObject({ record: { value: { n, changed: true } } });
      }
      expect(await answerOf<StreamInfo>(await server.fetch(path))).toMatchObject({ rows: keys.length / 2 });
    });
  });

  test('numbers beyond 2^53 keep their digits, make distinct keys, and are filtered alike on both tiers', async () => {
    const digits = [
      '9007199254740992',
      '9007199254740993',
      '-9007199254740993',
      '123456789012345678901234567890',
      '1e400',
      '1.10',
      '-0',
      '5e-324',
    ];
    const path = await createStream({ kind: 'upsert', key: 'id' });
    const lines = digits.map(number => `{"id":${number},"n":${number}}`);
    expect((await send(path, lines.join('\n'))).accepted).toBe(digits.length);
    const answers: unknown[] = [];
    await onBothTiers(path, async () => {
      const text = await textOf(path);
      expect(lines.filter(line => !text.includes(`"value":${line}}`))).toEqual([]);
      const filters = [{ n: Number(digits[0]) }, { n: { $gt: 1e300 } }, { n: { $lte: 0 } }, { n: { $in: [1.1, 5e-324] } }];
      const found: unknown[] = [];
      for (const filter of filters) found.push((await find(path, filter)).map(hit => hit.offset).sort());
      answers.push({ found, rows: (await answerOf<StreamInfo>(await server.fetch(path))).rows });
    });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[0]).toMatchObject({ rows: digits.length, found: [[0, 1], [4], [2, 6], [5, 7]] });
  });
});

describe('a tail at its bound', () => {
  test('refuses with Retry-After before another request is too much, however large requests are, and loses nothing', async () => {
    const rows = 500;
    await using small = await temporaryEngine({ maxTailRows: 1000, tailStreamShare: 1 });
    await using http = await startServer(small.tailwater.engine);
    await small.tailwater.createStream('s', { kind: 'append' });
    const body = Array.from({ length: rows }, (_, n) => `{"n":${n}}`).join('\n');
    const post = () => http.post('/v1/streams/s/records', body, NDJSON);
    const statuses: number[] = [];
    while (statuses.at(-1) !== 429 && statuses.length < 10) statuses.push((await post()).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await post();
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problemOf(refused)).toMatchObject({ code: 'TW_TAIL_FULL', data: { rows: 1000, maxRows: 1000 } });
    expect(await small.tailwater.getStream('s')).toMatchObject({ head: [999], rows: 1000 });
    await small.tailwater.compact('s');
    expect((await post()).status).toBe(200);
    expect((await small.tailwater.read('s', { limit: 10_000 })).records).toHaveLength(1500);
  });
});
