import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock, type TailwaterError } from '../../src/base/index.ts';
import type { Tailwater } from '../../src/index.ts';
import { pathsOf } from '../../src/server/index.ts';
import { Sandbox } from '../../src/snapshot/sql/sandbox.ts';
import { withEngine } from './temporary-engine.ts';

const ROWS = 20_000;
const SUM = 'SELECT count(*), sum(n), count(DISTINCT id) FROM rows';

function filesOf(dataDir: string, incarnation: string): string[] {
  const folder = join(pathsOf(dataDir).iceberg, incarnation, 'rows', 'data');
  return readdirSync(folder).map(name => join(folder, name));
}

async function fill(tailwater: Tailwater, round: number, rows = ROWS): Promise<void> {
  const values = Array.from({ length: rows }, (_, id) => ({ value: { id: `k${id}`, n: round } }));
  await tailwater.append('rows', values);
}

async function incarnationOf(tailwater: Tailwater): Promise<string> {
  return (await tailwater.getStream('rows')).definition.incarnation;
}

function codeOf(tailwater: Tailwater, sql: string): Promise<string> {
  return tailwater.engine.sql({ sql }).then(
    answer => `answered ${answer.rows}`,
    (error: TailwaterError) => error.code,
  );
}

describe.each(['iceberg', 'lance'] as const)('a query over a table of %s', format => {
  test('gives the rows of its instant, although compactions replace the table and the collector removes it meanwhile', () =>
    withEngine(
      async tailwater => {
        await tailwater.createStream('rows', { kind: 'upsert', key: 'id', history: 'PT0.001S', table: { format } });
        await fill(tailwater, 1);
        await tailwater.compact('rows');
        await fill(tailwater, 2, ROWS / 2);
        // Long enough to be overtaken.
        const slow = 'SELECT count(*), sum(a.n) FROM rows a, range(3000) WHERE a.n * range >= 0';
        const running = tailwater.engine.sql({ sql: slow });
        while ((await tailwater.collect()).pins.active === 0);
        for (const round of [3, 4]) {
          await fill(tailwater, round);
          await tailwater.compact('rows', { full: true });
          expect(await tailwater.collect()).toMatchObject({ problems: [] });
        }
        expect((await running).rows).toEqual([`[${ROWS * 3000},${ROWS * 1.5 * 3000}]`]);
        expect((await tailwater.engine.sql({ sql: SUM })).rows).toEqual([`[${ROWS},${ROWS * 4},${ROWS}]`]);
        expect(await tailwater.collect()).toMatchObject({ problems: [], pins: { active: 0 } });
      },
      { collection: { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 } },
    ));

  test('stops when it is called off or late, and leaves the next one what it needs', () =>
    withEngine(async tailwater => {
      await tailwater.createStream('rows', { kind: 'append', table: { format } });
      await fill(tailwater, 1);
      await tailwater.compact('rows');
      const slow = 'SELECT count(*) FROM rows a, rows b, rows c WHERE a.n + b.n + c.n = 7';
      const calledOff = new AbortController();
      const running = tailwater.engine.sql({ sql: slow }, calledOff.signal);
      setImmediate(() => calledOff.abort());
      await expect(running).rejects.toMatchObject({ code: 'TW_CLOSED' });
      await expect(tailwater.engine.sql({ sql: slow, deadlineMs: 300 })).rejects.toMatchObject({ code: 'TW_DEADLINE' });
      expect((await tailwater.engine.sql({ sql: SUM })).rows).toEqual([`[${ROWS},${ROWS},${ROWS}]`]);
    }));
});

describe('files of a table', () => {
  test('cannot be named by a query, not even those that it reads', () =>
    withEngine(async (tailwater, dataDir) => {
      await tailwater.createStream('rows', { kind: 'append' });
      await fill(tailwater, 1, 10);
      await tailwater.compact('rows');
      const [file] = filesOf(dataDir, await incarnationOf(tailwater));
      expect(await codeOf(tailwater, `SELECT count(*) FROM rows, '${file}'`)).toBe('TW_STREAM_NOT_FOUND');
      expect(await codeOf(tailwater, `SELECT count(*) FROM rows, read_parquet('${file}')`)).toBe('TW_SQL_NOT_ALLOWED');
      expect(await codeOf(tailwater, `SELECT (SELECT count(*) FROM parquet_scan('${file}')) FROM rows`)).toBe(
        'TW_SQL_NOT_ALLOWED',
      );
      expect(await codeOf(tailwater, 'SELECT * FROM rows, tailwater_parts.tail_0')).toBe('TW_SQL_NOT_ALLOWED');
      expect(await codeOf(tailwater, 'SELECT * FROM rows, tail_0')).toBe('TW_STREAM_NOT_FOUND');
    }));

  test('are all that a sandbox can open, and only to read', () =>
    withEngine(async (tailwater, dataDir) => {
      await tailwater.createStream('rows', { kind: 'append' });
      for (const round of [1, 2]) {
        await fill(tailwater, round, 10);
        await tailwater.compact('rows');
      }
      const [file, other] = filesOf(dataDir, await incarnationOf(tailwater));
      const limits = { memoryBytes: 64 * 1024 * 1024, threads: 1 };
      const options = { limits, clock: systemClock, leftMs: 60_000, deadlineMs: 60_000, signal: undefined };
      const sandbox = await Sandbox.open({ ...options, paths: [file] });
      const outcomeOf = (sql: string): Promise<string> =>
        sandbox
          .step(connection => connection.run(sql))
          .then(
            () => 'ran',
            (error: TailwaterError) => error.code,
          );
      try {
        expect(await outcomeOf(`FROM read_parquet('${file}')`)).toBe('ran');
        for (const sql of [
          `FROM read_parquet('${other}')`,
          `FROM read_parquet('${file.slice(0, -8)}*')`,
          `FROM read_parquet('${join(file, '..', '..', 'data')}/*')`,
          `FROM read_text('/etc/passwd')`,
          `FROM glob('/*')`,
          `COPY (SELECT 1) TO '${dataDir}/stolen.csv'`,
          `ATTACH '${dataDir}/stolen.db'`,
          'SET enable_external_access = true',
          `SET allowed_paths = ['/etc/passwd']`,
          `SET allowed_directories = ['/']`,
          'INSTALL httpfs',
        ]) {
          expect(await outcomeOf(sql), sql).not.toBe('ran');
        }
      } finally {
        sandbox.close();
      }
    }));

  test('that are gone or spoilt are named as damage, not as a fault of the query', () =>
    withEngine(async (tailwater, dataDir) => {
      await tailwater.createStream('rows', { kind: 'append' });
      await fill(tailwater, 1);
      await tailwater.compact('rows');
      expect(await codeOf(tailwater, SUM)).toMatch('answered');
      const [file] = filesOf(dataDir, await incarnationOf(tailwater));
      writeFileSync(file, Buffer.alloc(1000, 7));
      await expect(tailwater.engine.sql({ sql: SUM })).rejects.toMatchObject({
        code: 'TW_DATA_DAMAGED',
        data: { stream: 'rows' },
      });
      rmSync(file);
      expect(await codeOf(tailwater, SUM)).toBe('TW_DATA_DAMAGED');
      expect(await codeOf(tailwater, "SELECT 'x'::INTEGER")).toBe('TW_SQL_INVALID');
    }));
});
