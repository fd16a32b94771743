import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/base/index.ts';
import type { Tailwater } from '../../src/index.ts';
import { withEngine } from './temporary-engine.ts';

const SLOW_MS = 300_000;
const FIRST_MS = Date.parse('2026-01-01T00:00:00Z');

/** `at` is the event time, of a minute each; keys and numbers repeat, and are null or missing. */
const row = fc.record(
  { k: fc.constantFrom('a', 'b', 'c', null), n: fc.option(fc.integer({ min: 0, max: 4 })), minute: fc.nat(9) },
  { requiredKeys: ['minute'] },
);
const rows = fc.array(row, { minLength: 1, maxLength: 12 });

const constants = fc.record({ k: fc.constantFrom('a', 'b', 'z'), n: fc.nat(4), from: fc.nat(9), to: fc.nat(9) });

function at(minute: number): string {
  return new Date(FIRST_MS + minute * 60_000).toISOString();
}

/** Each reads a stream once, so that its rows may be chosen before; each says its order, where there are rows to order. */
const QUERIES: ((values: { k: string; n: number; from: string; to: string }) => string)[] = [
  v => `SELECT i FROM t WHERE _time >= '${v.from}' AND _time < TIMESTAMPTZ '${v.to}' ORDER BY i`,
  v => `SELECT i FROM t x WHERE x._time BETWEEN '${v.from}' AND '${v.to}' AND '${v.k}' = x.k ORDER BY i`,
  v => `SELECT i FROM t WHERE _time = '${v.from}' OR n = ${v.n} ORDER BY i`,
  v => `SELECT i FROM t WHERE _time <> '${v.from}' AND NOT (n > ${v.n}) ORDER BY i`,
  v => `SELECT i FROM t WHERE TIMESTAMP '${v.from.slice(0, 19)}' < _time AND _time >= DATE '2026-01-01' ORDER BY i`,
  v => `SELECT a.i, b.i FROM t a JOIN u b ON a.k = b.k WHERE a._time >= '${v.from}' AND b.n = ${v.n} ORDER BY ALL`,
  v => `SELECT a.i, b.i FROM t a LEFT JOIN u b USING (k) WHERE b._time <= '${v.to}' AND a.n <> ${v.n} ORDER BY ALL`,
  v => `SELECT a.i, b.i FROM t a LEFT JOIN u b ON a.k = b.k AND b.n = ${v.n} WHERE a._time <= '${v.to}' ORDER BY ALL`,
  v => `SELECT a.i, b.i FROM t a FULL JOIN u b ON a.n = b.n WHERE a.k = '${v.k}' ORDER BY ALL`,
  v => `SELECT a.i, b.i FROM t a RIGHT JOIN u b ON a.n = b.n WHERE b.n >= ${v.n} AND a._time > '${v.from}' ORDER BY ALL`,
  v => `SELECT a.i, b.i FROM t a, u b WHERE a.k = b.k AND b.k = '${v.k}' AND a.n < ${v.n} ORDER BY ALL`,
  v => `SELECT a.i FROM t a ANTI JOIN u b ON a.k = b.k WHERE a._time >= '${v.from}' ORDER BY ALL`,
  v => `SELECT a.i FROM t a SEMI JOIN u b ON a.k = b.k WHERE a.n = ${v.n} ORDER BY ALL`,
  v =>
    `SELECT t.i, u.n FROM t ASOF JOIN u ON t.k = u.k AND t._time >= u._time WHERE u.n > ${v.n} AND t._time <= '${v.to}' ORDER BY ALL`,
  v =>
    `SELECT t.i, u.n FROM t ASOF LEFT JOIN u ON t.k = u.k AND t._time >= u._time WHERE t.n = ${v.n} AND u._time > '${v.from}' ORDER BY ALL`,
  v => `SELECT b.i, a.i FROM t AS b JOIN u AS a ON a.k = b.k WHERE b.n = ${v.n} AND a._time < '${v.to}' ORDER BY ALL`,
  v =>
    `SELECT u.*, t.k FROM t POSITIONAL JOIN (SELECT i, n FROM u WHERE n >= ${v.n} ORDER BY i) u WHERE t.n = ${v.n} ORDER BY ALL`,
  v =>
    `WITH c AS (SELECT k, n FROM u WHERE n > ${v.n}) SELECT c.n, count(*) FROM t, c WHERE t.k = c.k AND t._time > '${v.from}' GROUP BY ALL ORDER BY ALL`,
];

async function written(tailwater: Tailwater, name: string, values: JsonObject[]): Promise<void> {
  await tailwater.append(
    name,
    values.map(value => ({ value })),
  );
}

/** The same rows in a DuckDB of their own, told by nothing but what was written. */
async function bare(tables: Record<string, JsonObject[]>, ask: (run: (sql: string) => Promise<unknown[][]>) => Promise<void>) {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`SET TimeZone = 'UTC'`);
  for (const [name, values] of Object.entries(tables)) {
    await connection.run(`CREATE TABLE ${name} (i BIGINT, k VARCHAR, n BIGINT, _time TIMESTAMPTZ)`);
    for (const { i, k = null, n = null, at: time } of values) {
      await connection.run(`INSERT INTO ${name} VALUES ($1, $2, $3, $4::TIMESTAMPTZ)`, [
        Number(i),
        k as string,
        n as number,
        String(time),
      ]);
    }
  }
  await ask(async sql => (await connection.runAndReadAll(sql)).getRows());
  instance.closeSync();
}

describe.each(['iceberg', 'lance'] as const)('rows chosen before a query runs, of tables of %s', format => {
  test('are those that it needs: every answer is that of a DuckDB which has all rows', { timeout: SLOW_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(rows, rows, fc.nat(11), fc.array(constants, { minLength: 3, maxLength: 3 }), (t, u, split, chosen) =>
        withEngine(async tailwater => {
          const tables: Record<string, JsonObject[]> = {};
          for (const [name, given] of Object.entries({ t, u })) {
            tables[name] = given.map(({ minute, ...fields }, i) => ({ i, at: at(minute), ...fields }) as JsonObject);
            await tailwater.createStream(name, { kind: 'append', time: 'at', schema: SCHEMA, table: { format } });
            await written(tailwater, name, tables[name].slice(0, split));
            if (split > 0) await tailwater.compact(name);
            if (split < given.length) await written(tailwater, name, tables[name].slice(split));
          }
          await bare(tables, async run => {
            for (const { from, to, ...rest } of chosen) {
              for (const query of QUERIES) {
                const sql = query({ ...rest, from: at(from), to: at(to) });
                const answer = await tailwater.engine.sql({ sql });
                const expected = (await run(sql)).map(cells =>
                  cells.map(cell => (typeof cell === 'bigint' ? Number(cell) : cell)),
                );
                expect(
                  answer.rows.map(each => JSON.parse(each)),
                  sql,
                ).toEqual(expected);
              }
            }
          });
        }),
      ),
      // Shrinking takes longer than a test has; the example is small as it is.
      { numRuns: 4, endOnFailure: true },
    );
  });
});

const SCHEMA = {
  type: 'object',
  properties: {
    i: { type: 'integer' },
    k: { type: ['string', 'null'] },
    n: { type: ['integer', 'null'] },
    at: { type: 'string' },
  },
};
