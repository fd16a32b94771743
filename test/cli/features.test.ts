import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { type TestCli, temporaryCli } from './cli-support.ts';

const LIBRARY = fileURLToPath(new URL('../../src/index.ts', import.meta.url));
const CLICKS = [
  { user: 'ann', amount: 2.5, at: '2026-01-01T10:00:00Z' },
  { user: 'ann', amount: 4, at: '2026-01-01T10:04:00Z' },
  { user: 'bob', amount: 1, at: '2026-01-01T09:00:00Z' },
];

async function withClicks(): Promise<TestCli> {
  const cli = await temporaryCli();
  const stdin = CLICKS.map(click => JSON.stringify(click)).join('\n');
  const { code } = await cli.run(['ingest', '-', '--stream', 'clicks', '--format', 'ndjson', '--time', 'at'], { stdin });
  expect(code).toBe(0);
  return cli;
}

describe('features', () => {
  test('are planned, applied from a module, listed, read and removed', async () => {
    await using cli = await withClicks();
    const file = join(cli.folder, 'views.ts');
    await writeFile(
      file,
      `import { count, featureView, sum } from ${JSON.stringify(LIBRARY)};
export const spending = featureView('spending', { source: 'clicks', entity: 'user', features: {
  clicks: count().lifetime(), spend_5m: sum('amount').over('5m') } });`,
    );
    const planned = await cli.run(['features', 'plan', file]);
    expect(planned).toMatchObject({ code: 0, stderr: '' });
    expect(planned.stdout).toContain('spending: new\n  added    clicks\n');
    expect(planned.stdout).toContain('builds its state from 3 records');
    const applied = await cli.run(['features', 'apply', file]);
    expect(applied.stdout).toMatch(/^spending: version [0-9a-f]{16}, serving\.\n$/);
    expect((await cli.run(['features'])).stdout).toMatch(/spending +[0-9a-f]{16} +clicks +2 +/);
    expect(await cli.json(['features', 'online', 'spending', 'ann', '{"user":"bob"}'])).toMatchObject({
      entities: [
        { entity: 'ann', values: { clicks: 2, spend_5m: null } },
        { entity: { user: 'bob' }, values: { clicks: 1 } },
      ],
    });
    expect((await cli.run(['features', 'online', 'spending', 'ann'])).stdout).toMatch(/ann +clicks +present .* 2\n/);
    expect((await cli.run(['features', 'delete', 'spending'])).stdout).toBe('spending: removed.\n');
    expect(await cli.run(['features', 'show', 'spending'])).toMatchObject({ code: 1 });
  });

  test('give training rows for a file of entities and times', async () => {
    await using cli = await withClicks();
    const view = join(cli.folder, 'view.json');
    const features = { spend_5m: { aggregate: 'sum', field: 'amount', window: { sliding: '5m' } } };
    await writeFile(view, JSON.stringify({ name: 'spending', definition: { source: 'clicks', entity: 'user', features } }));
    expect((await cli.run(['features', 'apply', view])).code).toBe(0);
    const spine = join(cli.folder, 'rows.ndjson');
    const rows = ['10:00:00', '10:04:59', '10:05:00', '11:00:00'].map(time => ({
      user: 'ann',
      time: `2026-01-01T${time}Z`,
      label: 1,
    }));
    await writeFile(spine, rows.map(row => JSON.stringify(row)).join('\n'));
    const out = join(cli.folder, 'train.ndjson');
    const run = await cli.run(['features', 'historical', 'spending', '--spine', spine, '--out', out]);
    expect(run).toEqual({ code: 0, stdout: `${out}: 4 rows of spending.\n`, stderr: '' });
    const written = (await readFile(out, 'utf8'))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(written).toEqual([2.5, 6.5, 4, null].map((spend, index) => ({ ...rows[index], spend_5m: spend })));
    const seen = await cli.run(['features', 'historical', 'spending', '--spine', spine, '--as-seen']);
    expect(
      seen.stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line).spend_5m),
    ).toEqual([null, null, null, null]);
  });

  test('give Parquet for Parquet', async () => {
    await using cli = await withClicks();
    const view = join(cli.folder, 'view.json');
    const features = { spend_5m: { aggregate: 'sum', field: 'amount', window: { sliding: '5m' } } };
    await writeFile(view, JSON.stringify({ name: 'spending', definition: { source: 'clicks', entity: 'user', features } }));
    expect((await cli.run(['features', 'apply', view])).code).toBe(0);
    const [spine, out] = [join(cli.folder, "it's rows.parquet"), join(cli.folder, 'train.parquet')];
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const rows = ['10:00:00', '10:04:59.999', '11:00:00'].map(time => `('ann', TIMESTAMP '2026-01-01 ${time}', 7)`);
    const file = `'${spine.replaceAll("'", "''")}'`;
    await connection.run(`COPY (SELECT * FROM (VALUES ${rows.join(', ')}) t("user", "when", label)) TO ${file} (FORMAT parquet)`);
    const run = await cli.run(['features', 'historical', 'spending', '--spine', spine, '--out', out, '--time', 'when']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const written = await connection.runAndReadAll(
      `SELECT "user", epoch_ms("when")::DOUBLE, label::DOUBLE, spend_5m FROM '${out}'`,
    );
    const at = (time: string): number => Date.parse(`2026-01-01T${time}Z`);
    expect(written.getRows()).toEqual([
      ['ann', at('10:00:00'), 7, 2.5],
      ['ann', at('10:04:59.999'), 7, 6.5],
      ['ann', at('11:00:00'), 7, null],
    ]);
    connection.closeSync();
  });

  test('of a file that has none are refused', async () => {
    await using cli = await withClicks();
    const file = join(cli.folder, 'nothing.json');
    await writeFile(file, '{"views": []}');
    const run = await cli.run(['features', 'apply', file]);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('TW_SOURCE');
  });
});
