import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FolderReport } from '../../src/cli/inspect/report.ts';
import { pathsOf, Tailwater } from '../../src/server/index.ts';
import { type TestCli, temporaryCli } from './cli-support.ts';

/** An upsert stream with a table and a tail above it, and an empty stream. */
async function withData(): Promise<TestCli> {
  const cli = await temporaryCli();
  const tailwater = await Tailwater.open({ dataDir: cli.dataDir, compactionHost: 'inline', compaction: { auto: false } });
  await tailwater.createStream('empty', { kind: 'append' });
  await tailwater.createStream('docs', { kind: 'upsert', key: 'id', embed: { fields: ['text'], dimensions: 16 } });
  for (let n = 0; n < 5; n++) await tailwater.append('docs', [{ value: { id: `d${n % 3}`, text: `text ${n}` } }]);
  await tailwater.compact('docs');
  await tailwater.append('docs', [{ value: { id: 'd9', text: 'fresh' } }]);
  await tailwater.close();
  return cli;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

/** Every file with its content and time of change. */
async function fingerprint(folder: string): Promise<string[]> {
  const files = (await filesBelow(folder)).sort();
  return Promise.all(
    files.map(
      async file =>
        `${file} ${(await stat(file)).mtimeMs} ${createHash('sha256')
          .update(await readFile(file))
          .digest('hex')}`,
    ),
  );
}

/** Turns one byte over, near the middle of the file. */
async function damage(file: string, at?: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at ?? Math.floor(bytes.length / 2)] ^= 0xff;
  await writeFile(file, bytes);
}

async function inspected(cli: TestCli): Promise<{ code: number; report: FolderReport; stderr: string }> {
  const { code, stdout, stderr } = await cli.run(['inspect', '--json']);
  return { code, report: JSON.parse(stdout), stderr };
}

describe('inspect', () => {
  test('shows the log, the streams and their tables, and changes nothing', async () => {
    await using cli = await withData();
    const before = await fingerprint(cli.dataDir);
    const { code, report } = await inspected(cli);
    expect(code).toBe(0);
    expect(report).toMatchObject({ formatVersion: 1, server: null, damaged: [], log: { records: 6, torn: [] } });
    const docs = report.streams.find(stream => stream.name === 'docs');
    expect(docs).toMatchObject({ kind: 'upsert', logRecords: 6, table: { rows: 3, changes: 2, watermark: [4] } });
    expect(report.streams.find(stream => stream.name === 'empty')).toMatchObject({ logRecords: 0, table: null });
    const { stdout } = await cli.run(['inspect']);
    expect(stdout).toMatch(/\ndocs +upsert +1 +6 +\d+ \(\w+\) +3 +4\n/);
    expect(await fingerprint(cli.dataDir)).toEqual(before);
  });

  test('works while another process has the folder open', async () => {
    await using cli = await withData();
    const tailwater = await Tailwater.open({ dataDir: cli.dataDir, compaction: { auto: false } });
    await tailwater.append('docs', [{ value: { id: 'new', text: 'now' } }]);
    const { code, report } = await inspected(cli);
    expect([code, report.log.records]).toEqual([0, 7]);
    await tailwater.close();
  });

  test('names a damaged segment, and so does opening the folder', async () => {
    await using cli = await withData();
    const [log] = (await readdir(pathsOf(cli.dataDir).log)).filter(name => name.endsWith('.log'));
    const file = join(pathsOf(cli.dataDir).log, log);
    await damage(file);
    const { code, report, stderr } = await inspected(cli);
    expect(code).toBe(1);
    expect(report.damaged.length).toBeGreaterThan(0);
    expect(report.damaged[0]).toMatchObject({ part: expect.stringMatching(/^log/), code: 'TW_DATA_DAMAGED' });
    expect(JSON.parse(stderr)).toMatchObject({ code: 'TW_DATA_DAMAGED' });
    const opened = await cli.run(['query', 'docs']);
    expect(opened).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^TW_DATA_DAMAGED: /) });
  });

  test('names a damaged object, and goes on with the rest', async () => {
    await using cli = await withData();
    const [object] = (await filesBelow(join(pathsOf(cli.dataDir).objects, 'tables'))).filter(file => file.includes('statistics'));
    await damage(object);
    const { code, report } = await inspected(cli);
    expect(code).toBe(1);
    expect(report.damaged).toHaveLength(1);
    expect(report.damaged[0]).toMatchObject({
      part: expect.stringMatching(/^object tables\/.*statistics/),
      code: 'TW_DATA_DAMAGED',
    });
    expect(report.streams).toHaveLength(2);
  });

  test('names a table that lacks what its state says', async () => {
    await using cli = await withData();
    const data = (await filesBelow(pathsOf(cli.dataDir).lance)).filter(
      file => file.endsWith('.manifest') && file.includes('rows.lance'),
    );
    expect(data.length).toBeGreaterThan(0);
    for (const file of data) await damage(file);
    const { code, report } = await inspected(cli);
    expect(code).toBe(1);
    expect(report.damaged.map(({ part }) => part)).toEqual(['table of docs']);
  });

  test('shows a torn end that a crash left, which costs nothing acknowledged', async () => {
    await using cli = await withData();
    const [log] = (await readdir(pathsOf(cli.dataDir).log)).filter(name => name.endsWith('.log')).slice(-1);
    const file = join(pathsOf(cli.dataDir).log, log);
    const whole = await readFile(file);
    // A crash leaves no seal, and may leave the beginning of one more frame.
    await writeFile(file, Buffer.concat([whole.subarray(0, -16), whole.subarray(40, 80)]));
    await (await Tailwater.open({ dataDir: cli.dataDir, compaction: { auto: false } })).close();
    const { code, report } = await inspected(cli);
    expect([code, report.log.records]).toEqual([0, 6]);
    expect(report.log.torn).toHaveLength(1);
    expect((await cli.run(['inspect'])).stdout).toContain('Torn end, kept: ');
  });
});
