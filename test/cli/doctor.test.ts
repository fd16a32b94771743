import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromUtf8, seededRandom, utf8 } from '../../src/base/index.ts';
import type { DoctorReport } from '../../src/cli/doctor/check-place.ts';
import type { CollectionReport } from '../../src/server/index.ts';
import { pathsOf, serve, Tailwater } from '../../src/server/index.ts';
import { FileObjectStore, listAll, nodeFileSystem } from '../../src/storage/index.ts';
import { type TestCli, temporaryCli } from './cli-support.ts';

type Report = DoctorReport & { repaired: CollectionReport | null };

/** An upsert and an append stream, each with a table of several states and a tail above it. */
async function withData(): Promise<TestCli> {
  const cli = await temporaryCli();
  const tailwater = await Tailwater.open({ dataDir: cli.dataDir, compactionHost: 'inline', compaction: { auto: false } });
  await tailwater.createStream('docs', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
  await tailwater.createStream('events', { kind: 'append', partitions: 2 });
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 4; n++) {
      await tailwater.append('docs', [{ value: { id: `d${n % 3}`, text: `text ${round} ${n}` } }]);
      await tailwater.append('events', [{ key: `k${n}`, value: { n } }]);
    }
    if (round < 2) for (const name of ['docs', 'events']) await tailwater.compact(name);
  }
  await tailwater.close();
  return cli;
}

async function examined(cli: TestCli, ...options: string[]): Promise<{ code: number; report: Report; stderr: string }> {
  const { code, stdout, stderr } = await cli.run(['doctor', '--json', ...options]);
  return { code, report: JSON.parse(stdout), stderr };
}

function storeOf(cli: TestCli): FileObjectStore {
  return new FileObjectStore(nodeFileSystem, pathsOf(cli.dataDir).objects, seededRandom(1));
}

async function keysOf(cli: TestCli, pattern: RegExp): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listAll(storeOf(cli), '')) if (pattern.test(key)) keys.push(key);
  return keys;
}

async function incarnationOf(cli: TestCli, name: string): Promise<string> {
  return (await examined(cli)).report.streams.find(stream => stream.name === name)!.incarnation;
}

/** Changes the JSON of an object; its checksum is right again. */
async function rewrite(cli: TestCli, key: string, change: (document: Record<string, unknown>) => void): Promise<void> {
  const document = JSON.parse(fromUtf8((await storeOf(cli).get(key))!.bytes));
  change(document);
  await storeOf(cli).put(key, utf8(JSON.stringify(document)));
}

async function fingerprint(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  return Promise.all(
    files.sort().map(async file => {
      const hash = createHash('sha256').update(await readFile(file));
      return `${file} ${(await stat(file)).mtimeMs} ${hash.digest('hex')}`;
    }),
  );
}

describe('doctor', () => {
  test('finds nothing wrong with a sound folder, and changes nothing, also while a server runs on it', async () => {
    await using cli = await withData();
    const before = await fingerprint(cli.dataDir);
    const { code, report } = await examined(cli);
    expect([code, report.findings, report.orphans]).toEqual([0, [], []]);
    expect(report.streams.find(stream => stream.name === 'docs')).toMatchObject({ rows: 3, changes: 5, watermark: [7] });
    expect(await fingerprint(cli.dataDir)).toEqual(before);
    expect((await cli.run(['doctor'])).stdout).toMatch(
      /Stream docs: states 1 to \d+, 3 rows, 5 superseded\n[\s\S]*as it should be/,
    );
    const tailwater = await Tailwater.open({ dataDir: cli.dataDir, compactionHost: 'inline', compaction: { auto: false } });
    await tailwater.append('docs', [{ value: { id: 'new', text: 'now' } }]);
    expect((await examined(cli)).report).toMatchObject({ findings: [], orphans: [] });
    await tailwater.close();
  });

  test('finds a log file that fails its checksums, says what still holds and what to do', async () => {
    await using cli = await withData();
    const [log] = await readdir(pathsOf(cli.dataDir).log);
    const file = join(pathsOf(cli.dataDir).log, log);
    const bytes = await readFile(file);
    bytes[Math.floor(bytes.length / 2)] ^= 0xff;
    await writeFile(file, bytes);
    const { code, report, stderr } = await examined(cli);
    expect(code).toBe(1);
    expect(report.findings[0]).toMatchObject({ area: 'log', code: 'TW_DATA_DAMAGED', todo: expect.stringContaining('backup') });
    expect(JSON.parse(stderr)).toMatchObject({ code: 'TW_DATA_DAMAGED' });
    const { stdout } = await cli.run(['doctor']);
    expect(stdout).toMatch(/WRONG {2}log[\s\S]*safe to assume: [\s\S]*to do: /);
  });

  test('finds statistics that a state names and that are not there', async () => {
    await using cli = await withData();
    const [key] = await keysOf(cli, /\/statistics\//);
    await storeOf(cli).delete([key]);
    const { code, report } = await examined(cli);
    expect(code).toBe(1);
    expect(report.findings.some(({ area, detail }) => area === 'states' && detail.includes(key))).toBe(true);
  });

  test('finds a hole in a journal of states', async () => {
    await using cli = await withData();
    const incarnation = await incarnationOf(cli, 'docs');
    const [first] = await keysOf(cli, new RegExp(`${incarnation}/state/entries/`));
    await storeOf(cli).delete([first]);
    const { report } = await examined(cli);
    expect(report.findings[0]).toMatchObject({
      area: 'states',
      part: 'table state 1 of docs',
      detail: expect.stringMatching(/missing/),
    });
  });

  test.each([
    ['rowsHash', '0123456789abcdef', /hash of its rows/],
    ['rowCount', 99, /rows: 3 found, 99 in the state/],
    ['changeCount', 0, /changes: 5 found, 0 in the state/],
    ['watermark', [6], /does not follow|neither in the table nor in the log|hash of all/],
  ])('finds a table whose %s is not what its state says', async (member, value, expected) => {
    await using cli = await withData();
    const incarnation = await incarnationOf(cli, 'docs');
    const last = (await keysOf(cli, new RegExp(`${incarnation}/state/entries/`))).at(-1)!;
    await rewrite(cli, last, state => {
      state[member] = value;
    });
    const { code, report } = await examined(cli);
    expect(code).toBe(1);
    expect(report.findings.map(({ detail }) => detail).join('\n')).toMatch(expected);
  });

  test('finds acknowledged records that are in neither table nor log', async () => {
    await using cli = await withData();
    const incarnation = await incarnationOf(cli, 'events');
    for (const key of await keysOf(cli, new RegExp(`${incarnation}/state/entries/`))) await storeOf(cli).delete([key]);
    expect((await examined(cli)).report.findings).toEqual([]);
    const tailwater = await Tailwater.open({
      dataDir: cli.dataDir,
      compactionHost: 'inline',
      compaction: { auto: false },
      collection: { auto: false, graceMs: 0, logHistoryMs: 0 },
    });
    for (const name of ['docs', 'events']) await tailwater.compact(name);
    await tailwater.collect();
    await tailwater.close();
    for (const key of await keysOf(cli, new RegExp(`${incarnation}/state/entries/`))) await storeOf(cli).delete([key]);
    await rm(join(pathsOf(cli.dataDir).iceberg, incarnation), { recursive: true });
    // The log's only file is not deleted yet, but what is below its floor does not count.
    const details = (await examined(cli)).report.findings.filter(({ area }) => area === 'coverage').map(({ detail }) => detail);
    expect(details).toContainEqual(expect.stringMatching(/of partition \d are neither in the table nor in the log/));
  });

  test('lists what nothing names, and --repair deletes that and nothing else', async () => {
    await using cli = await withData();
    const before = await keysOf(cli, /./);
    const incarnation = await incarnationOf(cli, 'docs');
    const stray = `tables/${incarnation}/statistics/1-abcdefghijklmnop`;
    const dead = 'tables/deadlifedeadlife/statistics/1-aaaaaaaaaaaaaaaa';
    for (const key of [stray, dead])
      await storeOf(cli).put(key, (await storeOf(cli).get(before.find(each => /statistics/.test(each))!))!.bytes);
    const { lance, iceberg } = pathsOf(cli.dataDir);
    for (const folder of [lance, iceberg]) await mkdir(join(folder, 'deadlifedeadlife'));
    const { code, report } = await examined(cli);
    expect([code, report.findings, report.repaired]).toEqual([0, [], null]);
    expect(report.orphans.sort()).toEqual(['all of stream life deadlifedeadlife', stray]);
    const repaired = await examined(cli, '--repair');
    expect(repaired.report.repaired).toMatchObject({
      states: 0,
      statistics: { objects: 1 },
      dropped: { streams: 1, objects: 1 },
    });
    for (const folder of [lance, iceberg]) expect(await readdir(folder)).not.toContain('deadlifedeadlife');
    const after = await keysOf(cli, /./);
    expect(before.filter(key => !after.includes(key))).toEqual([]);
    expect((await examined(cli)).report).toMatchObject({ findings: [], orphans: [] });
  });

  test('does not repair while something is wrong', async () => {
    await using cli = await withData();
    const incarnation = await incarnationOf(cli, 'docs');
    const stray = `tables/${incarnation}/statistics/1-abcdefghijklmnop`;
    await storeOf(cli).put(stray, utf8('not statistics'));
    for (const key of await keysOf(cli, /^catalog\/entries\//)) await storeOf(cli).put(key, utf8('not an entry'));
    const { code, report } = await examined(cli, '--repair');
    expect([code, report.repaired]).toEqual([1, null]);
    expect(report.findings.map(({ area }) => area)).toContain('catalog');
    expect(await storeOf(cli).head(stray)).not.toBeNull();
  });
});

describe('collect', () => {
  test('says what would go and why the rest stays, then does it, on a folder as through a server', async () => {
    await using cli = await withData();
    const preview = (await cli.json(['collect', '--dry-run'])) as CollectionReport;
    expect(preview).toMatchObject({ dryRun: true, problems: [], log: [{ heldBy: 'retention' }] });
    const { stdout } = await cli.run(['collect']);
    expect(stdout).toMatch(/^Log shard 0: \d+ segments? gone; \d+ stay \(\d+ to \d+\): kept for past instants\n/);
    expect((await examined(cli)).report.findings).toEqual([]);
    const tailwater = await Tailwater.open({
      dataDir: cli.dataDir,
      compactionHost: 'inline',
      collection: { auto: false, graceMs: 0, logHistoryMs: 0 },
    });
    const server = await serve(tailwater.engine, { port: 0 });
    const held = (await cli.json(['collect', '--url', server.url])) as CollectionReport;
    expect(held.log).toMatchObject([{ heldBy: 'stream', neededBy: expect.stringMatching(/docs|events/) }]);
    for (const name of ['docs', 'events']) await tailwater.compact(name);
    const report = (await cli.json(['collect', '--url', server.url])) as CollectionReport;
    expect(report.log[0]).toMatchObject({ heldBy: null, floor: report.log[0].head + 1 });
    await server.close();
    await tailwater.close();
    expect((await examined(cli)).report.findings).toEqual([]);
  });
});
