import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { type TestCli, temporaryCli } from './cli-support.ts';

async function withOrders(): Promise<TestCli> {
  const cli = await temporaryCli();
  const stdin = [
    '{"id":"o1","item":"tea, green","price":3.5,"big":12345678901234567}',
    '{"id":"o2","item":"a \\"mug\\"","price":12,"big":1}',
    '{"id":"o3","item":null,"price":7}',
  ].join('\n');
  const { code, stderr } = await cli.run(['ingest', '-', '--stream', 'orders', '--format', 'ndjson', '--key', 'id'], { stdin });
  expect([code, stderr]).toEqual([0, '']);
  return cli;
}

describe('sql', () => {
  test('prints a table that fits the terminal, numbers to the right', async () => {
    await using cli = await withOrders();
    const query = 'SELECT id, item, price, big FROM orders ORDER BY id';
    const { stdout } = await cli.run(['sql', query]);
    expect(stdout.split('\n').slice(0, 5)).toEqual([
      'id  item        price                big',
      '──  ──────────  ─────  ─────────────────',
      'o1  tea, green    3.5  12345678901234567',
      'o2  a "mug"        12                  1',
      'o3  NULL            7               NULL',
    ]);
    expect(stdout.split('\n')[5]).toMatch(/^3 rows; as of 20\S+Z; 3 records of the tail considered$/);
    const narrow = await cli.run(['sql', query], { columns: 30 });
    for (const line of narrow.stdout.split('\n').slice(0, 5)) expect(line.length).toBeLessThanOrEqual(30);
  });

  test('prints CSV, NDJSON and JSON with every digit', async () => {
    await using cli = await withOrders();
    const query = 'SELECT item, big FROM orders ORDER BY id LIMIT 2';
    expect((await cli.run(['sql', query, '--format', 'csv'])).stdout).toBe(
      'item,big\n"tea, green",12345678901234567\n"a ""mug""",1\n',
    );
    expect((await cli.run(['sql', query, '--format', 'ndjson'])).stdout.split('\n')[0]).toBe(
      '{"item":"tea, green","big":12345678901234567}',
    );
    expect(await cli.json(['sql', query])).toMatchObject({ columns: [{ name: 'item', type: 'VARCHAR' }, { name: 'big' }] });
  });

  test('says what is wrong, and what to do', async () => {
    await using cli = await withOrders();
    const { code, stderr } = await cli.run(['sql', "COPY orders TO 'x.csv'"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^TW_SQL_NOT_ALLOWED: .*\n {2}Send one SELECT/);
  });
});

describe('scan', () => {
  test('writes files of each format, which appear when they are whole, or lines to a pipe', async () => {
    await using cli = await withOrders();
    const out = (name: string) => join(cli.folder, name);
    expect((await cli.run(['scan', 'orders', '--columns', 'id,price', '--filter', '{"price":{"$gt":5}}'])).stdout).toBe(
      '{"id":"o2","price":12}\n{"id":"o3","price":7}\n',
    );
    const { stdout } = await cli.run(['scan', 'orders', '--out', out('orders.arrow')]);
    expect(stdout).toMatch(/orders\.arrow: [\d.]+ (B|KiB) in .*; token [\w-]+\n$/);
    expect(tableFromIPC(await readFile(out('orders.arrow'))).numRows).toBe(3);
    await cli.run(['scan', 'orders', '--out', out('orders.parquet'), '--shard', '0/1']);
    expect((await readFile(out('orders.parquet'))).subarray(0, 4).toString()).toBe('PAR1');
    const failed = await cli.run(['scan', 'orders', '--out', out('none.arrow'), '--columns', 'nothing']);
    expect([failed.code, failed.stderr.split(':')[0]]).toEqual([1, 'TW_UNKNOWN_FIELD']);
    expect((await readdir(cli.folder)).sort()).toEqual(['data', 'orders.arrow', 'orders.parquet']);
  });
});
