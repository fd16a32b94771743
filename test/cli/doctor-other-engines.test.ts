import { cp, mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { DoctorReport } from '../../src/cli/doctor/check-place.ts';
import { pathsOf, Tailwater } from '../../src/server/index.ts';
import { SCHEMA } from '../lakehouse/catalog-world.ts';
import { ForeignEngine } from '../lakehouse/foreign-engine.ts';
import { type TestCli, temporaryCli } from './cli-support.ts';

const HOUR_MS = 3_600_000;

function openIn(cli: TestCli): Promise<Tailwater> {
  return Tailwater.open({ dataDir: cli.dataDir, compactionHost: 'inline', compaction: { auto: false } });
}

async function examined(cli: TestCli, ...options: string[]): Promise<DoctorReport & { code: number }> {
  const { code, stdout } = await cli.run(['doctor', '--json', ...options]);
  return { ...JSON.parse(stdout), code };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Gives files an age, as the file system tells it. */
async function age(paths: readonly string[], hours: number): Promise<void> {
  const at = new Date(Date.now() - hours * HOUR_MS);
  for (const path of paths) await utimes(path, at, at);
}

/** A stream whose table another engine has rewritten; what the engine wrote is there still, as a crash right after the commit leaves it. */
async function rewritten(cli: TestCli): Promise<{ folder: string; left: string[]; rows: unknown }> {
  const tailwater = await openIn(cli);
  await tailwater.createStream('visits', { kind: 'upsert', key: 'id' });
  for (let n = 0; n < 3; n++) {
    await tailwater.append('visits', [{ value: { id: 'a', n } }, { value: { id: `b${n}`, n } }]);
    await tailwater.compact('visits');
  }
  const engine = await ForeignEngine.open(tailwater.engine.iceberg, { namespace: ['tailwater'], name: 'visits' });
  const prepared = await engine.prepare();
  const folder = dirname(dirname(fileURLToPath(prepared.file)));
  const saved = `${cli.dataDir}-saved`;
  const left = (await filesBelow(folder)).filter(name => name.includes('foreign'));
  await cp(folder, saved, { recursive: true });
  await engine.commit(prepared);
  for (const name of left) await cp(join(saved, name), join(folder, name));
  await rm(saved, { recursive: true });
  const { rows } = await tailwater.sql('SELECT id, n FROM visits ORDER BY id');
  await tailwater.close();
  return { folder, left, rows };
}

describe('what other engines left', () => {
  test('of a rewrite is called an orphan once no commit can be under way, and --repair deletes that and nothing else', async () => {
    await using cli = await temporaryCli();
    const { folder, left, rows } = await rewritten(cli);
    // Names that some engines give: below folders of partitions, and UUIDs, of which some begin with eight digits.
    const others = ['data/town=Oslo/00000-1-ab.parquet', 'metadata/00000001-2345-4789-8abc-0123456789ab-m0.avro'];
    for (const name of others) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), 'whatever');
    }
    const all = [...left, ...others].sort();
    const own = (await filesBelow(folder)).filter(name => !all.includes(name));
    const shown = (names: readonly string[]): string[] => names.map(name => `${folder.split('/').slice(-2).join('/')}/${name}`);
    const young = await examined(cli, '--repair');
    expect([young.code, young.findings, young.orphans]).toEqual([0, [], []]);
    expect(young.otherEngines.recent.sort()).toEqual(shown(all));
    expect((await filesBelow(folder)).filter(name => all.includes(name))).toEqual(all);

    const [kept, ...old] = all;
    await age(
      old.map(name => join(folder, name)),
      25,
    );
    await age([join(folder, kept), ...own.map(name => join(folder, name))], 23);
    const found = await examined(cli);
    expect(found.orphans.sort()).toEqual(shown(old).map(name => `file of another engine ${name}`));
    expect(found.otherEngines.recent).toEqual(shown([kept]));
    expect(await examined(cli, '--repair')).toMatchObject({ code: 0, repaired: { others: { objects: old.length } } });
    expect(await filesBelow(folder)).toEqual([...own, kept].sort());
    expect(await examined(cli)).toMatchObject({ code: 0, findings: [], orphans: [] });
    const tailwater = await openIn(cli);
    expect((await tailwater.sql('SELECT id, n FROM visits ORDER BY id')).rows).toEqual(rows);
    await tailwater.close();
  });

  test('is what they keep in tables of their own, and of tables that they dropped: listed apart, never deleted', async () => {
    await using cli = await temporaryCli();
    const tailwater = await openIn(cli);
    const { iceberg } = tailwater.engine;
    await iceberg.createNamespace(['lab'], {});
    for (const name of ['kept', 'dropped']) {
      await iceberg.create({ namespace: ['lab'], name }, { name, schema: SCHEMA }, false);
    }
    await iceberg.drop({ namespace: ['lab'], name: 'dropped' }, false);
    await tailwater.close();
    const { warehouse } = pathsOf(cli.dataDir);
    const before = await filesBelow(warehouse);
    await age(
      before.map(name => join(warehouse, name)),
      10_000,
    );
    const found = await examined(cli, '--repair');
    expect([found.code, found.orphans]).toEqual([0, []]);
    expect(found.otherEngines.warehouse).toEqual({
      tables: 1,
      unclaimed: [{ folder: expect.stringMatching(/^lab\/dropped-/), files: 1, bytes: expect.any(Number) }],
    });
    expect(await filesBelow(warehouse)).toEqual(before);
    expect((await cli.run(['doctor'])).stdout).toMatch(
      /Tables of other engines: 1\n[\s\S]*of no table: 1 folders[\s\S]*lab\/dropped-/,
    );

    await writeFile(join(warehouse, before.find(name => name.startsWith('lab/kept-'))!), '{}');
    const damaged = await examined(cli);
    expect([damaged.code, damaged.findings]).toEqual([
      1,
      [expect.objectContaining({ area: 'warehouse', part: 'table lab.kept of another engine' })],
    ]);
  });
});
