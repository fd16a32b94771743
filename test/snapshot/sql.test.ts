import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue, TailwaterError } from '../../src/base/index.ts';
import type { Tailwater } from '../../src/index.ts';
import type { SqlRequest } from '../../src/snapshot/index.ts';
import { steps, take, Written } from './scan-support.ts';
import { withEngine } from './temporary-engine.ts';

/** A dozen engines, or more while a failure shrinks, each with tables of its own. */
const SLOW_MS = 300_000;

async function rowsOf(tailwater: Tailwater, sql: string, request: Partial<SqlRequest> = {}): Promise<JsonValue[][]> {
  return (await tailwater.engine.sql({ sql, ...request })).rows.map(row => JSON.parse(row));
}

function codeOf(tailwater: Tailwater, sql: string, request: Partial<SqlRequest> = {}): Promise<string> {
  return tailwater.engine.sql({ sql, ...request }).then(
    answer => `answered ${answer.rows}`,
    (error: TailwaterError) => error.code,
  );
}

/** Each with the same computed from the rows in plain JavaScript. */
const QUERIES: { sql: string; of: (rows: JsonObject[]) => JsonValue[][] }[] = [
  { sql: 'SELECT count(*) FROM rows', of: rows => [[rows.length]] },
  { sql: 'SELECT "id" FROM rows LIMIT 3', of: rows => rows.slice(0, 3).map(row => [row.id]) },
  { sql: 'SELECT ID FROM "rows" r LIMIT 2 OFFSET 1', of: rows => rows.slice(1, 3).map(row => [row.id]) },
  {
    sql: `SELECT id FROM rows WHERE ID > 'k4' AND 'k8' >= r_.id ORDER BY _seq`.replace('rows WHERE', 'rows r_ WHERE'),
    of: rows => rows.filter(row => String(row.id) > 'k4' && String(row.id) <= 'k8').map(row => [row.id]),
  },
  { sql: 'SELECT id, count(*) FROM rows GROUP BY ALL ORDER BY ALL', of: countById },
  {
    sql: 'WITH rows AS (SELECT * FROM rows) SELECT a.id FROM rows a JOIN rows b USING (_seq) ORDER BY a._seq',
    of: rows => rows.map(row => [row.id]),
  },
  {
    sql: 'SELECT r.id FROM (SELECT * EXCLUDE (_headers) FROM rows) r ORDER BY _seq DESC LIMIT 2',
    of: rows =>
      rows
        .slice(-2)
        .reverse()
        .map(row => [row.id]),
  },
  { sql: 'SELECT part, id FROM rows AS r(part) ORDER BY _seq LIMIT 1', of: rows => rows.slice(0, 1).map(row => [0, row.id]) },
  { sql: 'SELECT r.id FROM rows r WHERE _extra IS NULL OR true ORDER BY r._seq', of: rows => rows.map(row => [row.id]) },
  { sql: 'SELECT last(id ORDER BY _seq), row_number() OVER () FROM rows', of: rows => [[rows.at(-1)?.id ?? null, 1]] },
];

function countById(rows: JsonObject[]): JsonValue[][] {
  const ids = rows.map(row => String(row.id));
  return [...new Set(ids)].sort().map(id => [id, ids.filter(each => each === id).length]);
}

const TABLES = (['append', 'upsert'] as const).flatMap(kind => (['iceberg', 'lance'] as const).map(format => ({ kind, format })));

describe.each(TABLES)('SQL over $kind streams with tables of $format', ({ kind, format }) => {
  test('answers what the rows say, at every instant, whatever is in table or tail', { timeout: SLOW_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, history =>
        withEngine(async tailwater => {
          await tailwater.createStream('rows', { kind, key: 'id', table: { format } });
          const written = new Written(kind);
          let middle: { asOf: string; length: number } | null = null;
          for (const [at, step] of history.entries()) {
            const token = await take(tailwater, written, step);
            if (token !== null && at <= history.length / 2) middle = { asOf: token, length: written.log.length };
          }
          if (written.rows().length === 0) return;
          for (const { sql, of } of QUERIES) expect(await rowsOf(tailwater, sql), sql).toEqual(of(written.rows()));
          if (middle === null || written.rows(middle.length).length === 0) return;
          const { asOf, length } = middle;
          const then = await rowsOf(tailwater, QUERIES[4].sql, { consistency: { asOf } });
          expect(then).toEqual(QUERIES[4].of(written.rows(length)));
        }),
      ),
      { numRuns: 4 },
    );
  });
});

describe('a query', () => {
  test('reads several streams at one instant, by point-in-time join and window', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('prices', { kind: 'append', time: { field: 'at', unit: 's' } });
      await tailwater.createStream('trades', { kind: 'append', time: { field: 'at', unit: 's' } });
      await tailwater.append(
        'prices',
        [1, 5, 9].map(at => ({ value: { item: 'a', at, price: at * 10 } })),
      );
      await tailwater.compact('prices');
      await tailwater.append('prices', [{ value: { item: 'a', at: 12, price: 120 } }]);
      await tailwater.append(
        'trades',
        [4, 10, 13].map(at => ({ value: { item: 'a', at, n: 1 } })),
      );
      const sql = `SELECT t.at, p.price, sum(t.n) OVER (ORDER BY t.at) FROM trades t ASOF JOIN prices p ON t.item = p.item AND t._time >= p._time`;
      const answer = await tailwater.engine.sql({ sql });
      expect(answer.rows).toEqual(['[4,10,1]', '[10,90,2]', '[13,120,3]']);
      expect(answer.columns.slice(0, 2)).toEqual([
        { name: 'at', type: 'BIGINT' },
        { name: 'price', type: 'BIGINT' },
      ]);
      expect(answer.freshness.prices).toMatchObject({ complete: true, watermark: [2], head: [3], tailRows: 1 });
      await tailwater.append('prices', [{ value: { item: 'a', at: 13, price: 1 } }]);
      expect((await tailwater.engine.sql({ sql, consistency: { asOf: answer.token } })).rows).toEqual(answer.rows);
    }));

  test('queries JSON by -> and ->>, describes a stream, and says why a name is unknown', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('shop.orders', { kind: 'append' });
      await tailwater.append('shop.orders', [{ value: { id: 'a', meta: { tags: ['x', 'y'], n: 1 } } }, { value: { id: 2 } }]);
      expect(
        await rowsOf(tailwater, `SELECT (meta->>'$.tags[1]'), meta->'n', meta FROM "shop.orders" WHERE (meta->>'n')::INT = 1`),
      ).toEqual([['y', 1, { tags: ['x', 'y'], n: 1 }]]);
      expect(await rowsOf(tailwater, 'SELECT _extra FROM "shop.orders" WHERE id IS NULL')).toEqual([[{ id: 2 }]]);
      const described = await rowsOf(tailwater, 'DESCRIBE "shop.orders"');
      expect(described.map(row => row.slice(0, 2))).toContainEqual(['meta', 'JSON']);
      await expect(tailwater.engine.sql({ sql: 'SELECT nam FROM "shop.orders"' })).rejects.toMatchObject({
        code: 'TW_SQL_INVALID',
      });
      await expect(tailwater.engine.sql({ sql: 'SELECT idd FROM "shop.orders"' })).rejects.toThrow(/id/);
      await expect(tailwater.engine.sql({ sql: 'SELECT 1 FROM nothing' })).rejects.toThrow(
        /There is no stream "nothing".*shop\.orders/,
      );
      await expect(tailwater.engine.sql({ sql: 'SELECT 1 FROM shop.orders' })).rejects.toThrow(/double quotes/);
    }));

  test('writes every value exactly', () =>
    withEngine(async tailwater => {
      const sql = `SELECT 9007199254740993::BIGINT a, 170141183460469231731687303715884105727::HUGEINT b, 1.10::DECIMAL(18,2) c, 0.1 + 0.2::DOUBLE d,
        'NaN'::DOUBLE e, TIMESTAMPTZ '2026-01-31 12:00:00.123456+01' f, TIMESTAMP '2026-01-31 12:00:00' g, DATE '2026-01-31' h, TIME '12:00:01.5' i,
        INTERVAL 3 MONTH j, NULL k, [1, NULL] l, {'x': 1, 'y': [{'z': 'q"'}]} m, MAP {'k': 2} n, 'AB'::BLOB o, '{"p": [1.50]}'::JSON p, true q, 'é"\\' r,
        '-infinity'::TIMESTAMPTZ s, 1 a`;
      const { rows, columns } = await tailwater.engine.sql({ sql });
      expect(rows).toEqual([
        '[9007199254740993,170141183460469231731687303715884105727,1.10,0.30000000000000004,"NaN","2026-01-31T11:00:00.123456Z","2026-01-31T12:00:00.000",' +
          '"2026-01-31","12:00:01.5","3 months",null,[1,null],{"x":1,"y":[{"z":"q\\""}]},[["k",2]],"QUI=",{"p": [1.50]},true,"é\\"\\\\","-infinity",1]',
      ]);
      expect(columns.map(column => column.name).join('')).toBe('abcdefghijklmnopqrsa');
      expect(columns[2].type).toBe('DECIMAL(18,2)');
    }));

  test('keeps its order and its comments, and ends with or without a semicolon', () =>
    withEngine(async tailwater => {
      const down = Array.from({ length: 5000 }, (_, at) => [4999 - at]);
      expect(await rowsOf(tailwater, 'SELECT range FROM range(5000) ORDER BY 1 DESC; -- all of them')).toEqual(down);
      expect(await rowsOf(tailwater, '/* one */ VALUES (1), (2);')).toEqual([[1], [2]]);
      expect(await rowsOf(tailwater, 'FROM range(2)')).toEqual([[0], [1]]);
    }));
});

const HUGE = 'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 1000003 = 5';

/** What a query must never do: each is refused with a typed error. */
const ATTACKS: [sql: string, code: string][] = [
  ["SELECT * FROM read_csv('/etc/passwd')", 'TW_SQL_NOT_ALLOWED'],
  ["SELECT * FROM read_text('/etc/passwd')", 'TW_SQL_NOT_ALLOWED'],
  ["SELECT (SELECT content FROM read_blob('/etc/passwd'))", 'TW_SQL_NOT_ALLOWED'],
  ["FROM '/etc/passwd'", 'TW_STREAM_NOT_FOUND'],
  ["FROM 'https://example.com/x.parquet'", 'TW_STREAM_NOT_FOUND'],
  ["SELECT * FROM glob('/*')", 'TW_SQL_NOT_ALLOWED'],
  ["COPY rows TO '/tmp/rows.csv'", 'TW_SQL_NOT_ALLOWED'],
  ["COPY (SELECT 1) TO '/tmp/one.csv'", 'TW_SQL_NOT_ALLOWED'],
  ["ATTACH '/tmp/x.db'", 'TW_SQL_NOT_ALLOWED'],
  ["EXPORT DATABASE '/tmp/x'", 'TW_SQL_NOT_ALLOWED'],
  ['INSTALL httpfs', 'TW_SQL_NOT_ALLOWED'],
  ['LOAD httpfs', 'TW_SQL_NOT_ALLOWED'],
  ["SET memory_limit = '100GB'", 'TW_SQL_NOT_ALLOWED'],
  ['RESET memory_limit', 'TW_SQL_NOT_ALLOWED'],
  ['PRAGMA database_list', 'TW_SQL_NOT_ALLOWED'],
  ['CALL pragma_version()', 'TW_SQL_NOT_ALLOWED'],
  ["SELECT * FROM pragma_table_info('rows')", 'TW_SQL_NOT_ALLOWED'],
  ['SELECT * FROM duckdb_secrets()', 'TW_SQL_NOT_ALLOWED'],
  ['SELECT * FROM duckdb_settings()', 'TW_SQL_NOT_ALLOWED'],
  ['SELECT * FROM duckdb_settings', 'TW_STREAM_NOT_FOUND'],
  ['SELECT * FROM information_schema.tables', 'TW_SQL_NOT_ALLOWED'],
  ['SELECT * FROM pg_catalog.pg_settings', 'TW_SQL_NOT_ALLOWED'],
  ['SHOW TABLES', 'TW_SQL_NOT_ALLOWED'],
  ["SELECT getenv('HOME')", 'TW_SQL_NOT_ALLOWED'],
  ["SELECT current_setting('memory_limit')", 'TW_SQL_NOT_ALLOWED'],
  ["SELECT [current_setting(x) FOR x IN ['threads']]", 'TW_SQL_NOT_ALLOWED'],
  ["SELECT * FROM query('SELECT 1')", 'TW_SQL_NOT_ALLOWED'],
  ["SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", 'TW_SQL_NOT_ALLOWED'],
  ['SELECT 1; DROP TABLE rows', 'TW_SQL_NOT_ALLOWED'],
  ['SELECT 1) ; SELECT (2', 'TW_SQL_INVALID'],
  ['SELECT 1; SELECT 2', 'TW_SQL_NOT_ALLOWED'],
  ['DELETE FROM rows', 'TW_SQL_NOT_ALLOWED'],
  ["INSERT INTO rows VALUES ('x')", 'TW_SQL_NOT_ALLOWED'],
  ['CREATE TABLE x AS SELECT 1', 'TW_SQL_NOT_ALLOWED'],
  ['EXPLAIN SELECT 1', 'TW_SQL_NOT_ALLOWED'],
  ['SELECT ?', 'TW_SQL_INVALID'],
  ['SELEC 1', 'TW_SQL_INVALID'],
  ['', 'TW_BAD_REQUEST'],
  ['-- nothing', 'TW_SQL_INVALID'],
  ["SELECT 'x'::INTEGER FROM range(3)", 'TW_SQL_INVALID'],
  ["SELECT CASE WHEN range = 150000 THEN error('late') ELSE range END FROM range(200000)", 'TW_SQL_INVALID'],
];

describe('what is not a query over streams', () => {
  test('is refused with an error that says so, and changes nothing', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'append' });
      await tailwater.append('rows', [{ value: { id: 'a' } }]);
      const found: [string, string][] = [];
      for (const [sql] of ATTACKS) found.push([sql, await codeOf(tailwater, sql, { limit: 1_000_000 })]);
      expect(found).toEqual(ATTACKS);
      expect(await rowsOf(tailwater, 'SELECT id FROM rows')).toEqual([['a']]);
    }));

  test('is stopped when it never ends, uses too much or says too much; the next one is served', () =>
    withEngine(
      async tailwater => {
        const endless = 'WITH RECURSIVE r AS (SELECT 1 x UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r';
        expect(await codeOf(tailwater, endless, { deadlineMs: 300 })).toBe('TW_DEADLINE');
        expect(await codeOf(tailwater, HUGE, { deadlineMs: 300 })).toBe('TW_DEADLINE');
        expect(await codeOf(tailwater, 'SELECT list(range) FROM range(100000000)')).toBe('TW_SQL_MEMORY');
        expect(await codeOf(tailwater, 'FROM range(11)', { limit: 10 })).toBe('TW_SQL_TOO_LARGE');
        expect(await codeOf(tailwater, "SELECT repeat('x', 2000) FROM range(1000)")).toBe('TW_SQL_TOO_LARGE');
        expect(await codeOf(tailwater, 'SELECT 1', { limit: 0 })).toBe('TW_BAD_REQUEST');
        expect(await rowsOf(tailwater, 'FROM range(10)', { limit: 10 })).toHaveLength(10);
      },
      { sql: { memoryBytes: 64 * 1024 * 1024, maxAnswerBytes: 1024 * 1024, concurrency: 1 } },
    ));

  test('does not keep writers waiting', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'append' });
      const running = codeOf(tailwater, HUGE, { deadlineMs: 1500 });
      let written = 0;
      let done = false;
      running.finally(() => {
        done = true;
      });
      while (!done) written += (await tailwater.append('rows', [{ value: { n: written } }])).accepted;
      expect(await running).toBe('TW_DEADLINE');
      // One that was kept waiting would have written once, or not at all.
      expect(written).toBeGreaterThan(5);
    }));
});
