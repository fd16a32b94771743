import { describe, expect, test } from 'vitest';
import type { DoctorReport } from '../../src/cli/doctor/check-place.ts';
import { exactJsonText } from '../../src/lakehouse/index.ts';
import { serve, Tailwater } from '../../src/server/index.ts';
import { type TestCli, temporaryCli } from '../cli/cli-support.ts';
import { codeOf } from '../lakehouse/catalog-world.ts';
import { FOREIGN_ID, ForeignEngine } from '../lakehouse/foreign-engine.ts';

const TABLE = { namespace: ['tailwater'], name: 'visits' };

function openIn(cli: TestCli): Promise<Tailwater> {
  return Tailwater.open({
    ...{ dataDir: cli.dataDir, compactionHost: 'inline', compaction: { auto: false } },
    collection: { auto: false, graceMs: 0, historySlack: 0 },
  });
}

async function fill(tailwater: Tailwater): Promise<string> {
  await tailwater.createStream('visits', {
    ...{ kind: 'upsert', key: 'id', partitions: 2 },
    schema: { type: 'object', properties: { id: { type: 'string' }, town: { type: 'string' }, n: { type: 'integer' } } },
    table: { partitionBy: ['town'] },
  });
  let token = '';
  for (let round = 0; round < 3; round++) {
    const records = Array.from({ length: 30 }, (_, at) => ({
      value: { id: `v${at + round * 10}`, town: ['Ålborg', 'Oslo'][at % 2], n: at * 100 + round, note: { round } },
    }));
    token = (await tailwater.append('visits', records)).token;
    await tailwater.compact('visits');
  }
  // Some are still in the tail.
  await tailwater.append('visits', [{ value: { id: 'v1', town: 'Oslo', n: 7 } }, { value: { id: 'fresh', town: 'Oslo', n: 1 } }]);
  return token;
}

/** What a user sees of the stream, by every way of reading it. */
async function seen(tailwater: Tailwater, token: string): Promise<unknown> {
  const sql = 'SELECT town, count(*) AS n, sum(n) AS total FROM visits GROUP BY town ORDER BY town';
  const records = await Promise.all([0, 1].map(partition => tailwater.read('visits', { partition, limit: 1000 })));
  const { rows: now } = await tailwater.sql(sql);
  const { rows: then } = await tailwater.sql(sql, { consistency: { asOf: token } });
  const keys = await Promise.all(['v1', 'v15', 'v49', 'fresh'].map(key => tailwater.getRow('visits', key)));
  return { records: records.map(page => page.records), now, then, values: keys.map(row => row?.record.value) };
}

describe('a stream whose table another engine rewrites through the catalog', () => {
  test('reads the same by every way, now and at earlier instants, also after a restart, maintenance and collection', async () => {
    await using cli = await temporaryCli();
    let tailwater = await openIn(cli);
    const token = await fill(tailwater);
    const before = await seen(tailwater, token);
    const engine = await ForeignEngine.open(tailwater.engine.iceberg, TABLE);

    expect(await codeOf(engine.rewrite())).toBe('TW_COMMIT_CONFLICT');
    const keeps = (_path: string, _at: number, partition: object): boolean => !Object.values(partition).includes('Oslo');
    await engine.rewrite({ keeps, keepsDeletes: true });
    expect(await seen(tailwater, token)).toEqual(before);
    expect((await tailwater.getTable('visits')).state).toMatchObject({ kind: 'replace' });
    expect(await engine.rows('count(*)')).toEqual([['50']]);

    await tailwater.close();
    tailwater = await openIn(cli);
    expect(await seen(tailwater, token)).toEqual(before);
    await tailwater.compact('visits', { full: true });
    await tailwater.append('visits', [{ value: { id: 'v49', town: 'Oslo', n: 4 } }, { key: 'v15', value: null }]);
    await tailwater.compact('visits');
    await tailwater.collect();
    const { rows } = await tailwater.sql('SELECT count(*) AS n FROM visits');
    expect(rows).toEqual([[50]]);
    await tailwater.close();
    const { code, stdout } = await cli.run(['doctor', '--json']);
    const report: DoctorReport = JSON.parse(stdout);
    expect({ code, findings: report.findings, orphans: report.orphans }).toEqual({ code: 0, findings: [], orphans: [] });
  });

  test('is committed to over HTTP, and refused in the words of the protocol', async () => {
    await using cli = await temporaryCli();
    const tailwater = await openIn(cli);
    await tailwater.createStream('visits', { kind: 'append' });
    for (const id of ['a', 'b']) {
      await tailwater.append('visits', [{ value: { id } }]);
      await tailwater.compact('visits');
    }
    const server = await serve(tailwater.engine, { port: 0 });
    const post = async (body: object): Promise<{ status: number; text: string }> => {
      const url = `${server.url}/iceberg/v1/namespaces/tailwater/tables/visits`;
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body: exactJsonText(body as never) });
      return { status: answer.status, text: await answer.text() };
    };
    const engine = await ForeignEngine.open(tailwater.engine.iceberg, TABLE);
    const refused = async (body: object): Promise<object> => {
      const { error } = JSON.parse((await post(body)).text);
      return { type: error.type, code: error.code };
    };
    const elsewhere = await engine.prepare({ snapshot: { 'manifest-list': 'file:///etc/passwd' } });
    expect(await refused(elsewhere)).toEqual({ type: 'BadRequestException', code: 400 });
    const fewer = await engine.prepare({ select: 'SELECT * FROM live LIMIT 1' });
    expect(await refused(fewer)).toEqual({ type: 'CommitFailedException', code: 409 });
    const sound = await engine.prepare();
    const { status, text } = await post(sound);
    expect([status, text.match(/"current-snapshot-id":(\d+)/)?.[1]]).toEqual([200, String(FOREIGN_ID + 9n)]);
    expect(await refused(sound)).toEqual({ type: 'CommitFailedException', code: 409 });
    await server.close();
    await tailwater.close();
  });
});
