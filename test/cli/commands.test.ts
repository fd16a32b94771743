import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const BIN = fileURLToPath(new URL('../../bin/tailwater.js', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailwater-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function tailwater(...args: string[]): Promise<Outcome> {
  return new Promise(resolve => {
    execFile(process.execPath, [BIN, ...args], { cwd: folder, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('the command line', () => {
  test('ingests a file, finds its rows before and after compaction, and adds nothing the second time', async () => {
    const rows = Array.from({ length: 50 }, (_, n) => `n${n},parcel number${n}`);
    writeFileSync(join(folder, 'rows.csv'), `id,text\n${rows.join('\n')}\n`);
    const first = await tailwater('ingest', 'rows.csv', '--stream', 'rows', '--search', 'text', '--json');
    expect(first).toMatchObject({ code: 0 });
    const again = await tailwater('ingest', 'rows.csv', '--stream', 'rows', '--json');
    expect(again).toMatchObject({ code: 0 });
    const before = JSON.parse((await tailwater('query', 'rows', 'number7', '--json')).stdout);
    expect(before.hits.map((hit: { value: object }) => hit.value)).toEqual([{ id: 'n7', text: 'parcel number7' }]);
    expect(await tailwater('compact', 'rows', '--json')).toMatchObject({ code: 0 });
    const after = JSON.parse((await tailwater('query', 'rows', 'number7', '--json')).stdout);
    expect(after.hits[0]).toMatchObject({ tier: 'table', value: { id: 'n7' } });
    const listed = await tailwater('tail', 'rows', '--from', 'earliest', '--limit', '100', '--json');
    expect(listed.stdout.trim().split('\n')).toHaveLength(50);
  });

  test('says what is wrong and what to do, with exit code 1; usage errors are 2', async () => {
    await tailwater('streams', 'create', 'known', '--kind', 'append');
    const unknown = await tailwater('query', 'unknown', 'x');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('TW_STREAM_NOT_FOUND');
    expect((await tailwater('ingest')).code).toBe(2);
    expect((await tailwater('frobnicate')).code).toBe(2);
  });

  test('explains itself', async () => {
    const { stdout, code } = await tailwater('--help');
    expect(code).toBe(0);
    for (const command of ['start', 'ingest', 'tail', 'query', 'compact', 'inspect', 'streams'])
      expect(stdout).toContain(command);
  });
});
