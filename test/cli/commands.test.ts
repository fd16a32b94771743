import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Tailwater } from '../../src/server/index.ts';
import { type TestCli, temporaryCli } from './cli-support.ts';

const TICKETS = [
  '{"id":"t1","text":"parcel never arrived","n":12345678901234567890}',
  '{"id":"t2","text":"refund please","n":2}',
  '{"id":"t1","text":"parcel arrived broken","n":1.50}',
].join('\n');

async function withTickets(): Promise<TestCli> {
  const cli = await temporaryCli();
  const { code, stderr } = await cli.run(
    ['ingest', '-', '--stream', 'tickets', '--format', 'ndjson', '--key', 'id', '--search', 'text'],
    {
      stdin: TICKETS,
    },
  );
  expect([code, stderr]).toEqual([0, '']);
  return cli;
}

describe('ingest', () => {
  test('creates the stream, adds the records, and adds nothing twice', async () => {
    await using cli = await temporaryCli();
    const file = join(cli.folder, 'tickets.ndjson');
    await writeFile(file, `${TICKETS}\n`);
    const args = ['ingest', file, '--stream', 'tickets', '--key', 'id'];
    expect(await cli.run(args)).toEqual({ code: 0, stdout: 'tickets: 3 records added, 0 rejected.\n', stderr: '' });
    const again = await cli.run(args);
    expect(again.stdout).toBe('tickets: 0 records added, 0 rejected, 1 of 1 files ingested before.\n');
    expect(await cli.json(['streams', 'show', 'tickets'])).toMatchObject({
      definition: { kind: 'upsert', key: ['id'] },
      rows: 2,
      head: [2],
    });
  });

  test('names the places of bad records on stderr', async () => {
    await using cli = await temporaryCli();
    const stdin = '{"id":1}\nnot json\n{"no":"key"}\n';
    const { code, stdout, stderr } = await cli.run(['ingest', '-', '--stream', 's', '--format', 'ndjson', '--key', 'id'], {
      stdin,
    });
    expect([code, stdout]).toEqual([0, 's: 1 records added, 2 rejected.\n']);
    expect(stderr).toMatch(/^-:2: TW_MALFORMED_JSON: .*\n-:3: TW_KEY_REQUIRED: .*\n$/);
  });

  test('shows a bar on a terminal', async () => {
    await using cli = await temporaryCli();
    const file = join(cli.folder, 'x.csv');
    await writeFile(file, 'a,b\n1,2\n3,4\n');
    const { code, stdout, stderr } = await cli.run(['ingest', file, '--stream', 's'], { columns: 80 });
    expect([code, stdout]).toEqual([0, 's: 2 records added, 0 rejected.\n']);
    expect(stderr).toContain('1/1 files');
  });

  test.each([
    [['ingest', 'nothing.ndjson', '--stream', 's'], 1, 'TW_SOURCE'],
    [['ingest', '-', '--stream', 's'], 1, 'TW_SOURCE'],
    [['ingest', '-', '--stream', '-s', '--format', 'ndjson'], 1, 'TW_STREAM_NAME'],
    [['ingest', 'x.csv'], 2, "required option '--stream <name>'"],
    [['ingest', '-', '--stream', 's', '--format', 'parquet'], 2, 'Allowed choices are ndjson, json, csv, markdown, text'],
    [['ingest', '-', '--stream', 's', '--schema', '{'], 2, 'It is not valid JSON'],
    [['ingest', '-', '--stream', 's', '--partitions', 'two'], 2, 'It must be a whole number'],
  ])('%j ends with %i and says %s', async (args, code, message) => {
    await using cli = await temporaryCli();
    const outcome = await cli.run(args);
    expect(outcome.code, outcome.stderr).toBe(code);
    expect(outcome.stderr).toContain(message);
  });
});

describe('query', () => {
  test('prints hits as a table with how fresh and complete the answer is', async () => {
    await using cli = await withTickets();
    const { code, stdout } = await cli.run(['query', 'tickets', 'refund']);
    const [heading, hit, summary] = stdout.split('\n');
    expect(code).toBe(0);
    expect(heading).toMatch(/^#\s+SCORE\s+TIER\s+AGE\s+ID\s+VALUE$/);
    expect(hit).toMatch(/^1 +[\d.]+ +tail +[\d.]+ (ms|s) +t2 +\{"id":"t2","text":"refund please","n":2\}$/);
    expect(summary).toMatch(/^1 hit; complete; as of \S+Z; 3 records of the tail considered; newest /);
  });

  test('cuts lines to the width of a terminal, and keeps control characters from it', async () => {
    await using cli = await temporaryCli();
    const stdin = JSON.stringify({ text: `\u001b[2J${'wide '.repeat(100)}`, key: 'x\u0007y' });
    await cli.run(['ingest', '-', '--stream', 's', '--format', 'ndjson', '--key', 'key'], { stdin });
    const { stdout } = await cli.run(['query', 's'], { columns: 60 });
    for (const line of stdout.split('\n').slice(0, 2)) expect(line.length).toBeLessThanOrEqual(60);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(stdout).toContain('x y');
  });

  test('with --json prints the answer, its numbers as they were written', async () => {
    await using cli = await temporaryCli();
    const stdin = '{"id":"a","n":12345678901234567890,"m":1.50}';
    await cli.run(['ingest', '-', '--stream', 's', '--format', 'ndjson', '--key', 'id'], { stdin });
    for (const compacted of [false, true]) {
      if (compacted) await cli.run(['compact', 's']);
      const { stdout } = await cli.run(['query', 's', '--json']);
      expect(stdout).toContain('"value":{"id":"a","n":12345678901234567890,"m":1.50}');
      expect(JSON.parse(stdout).freshness.complete).toBe(true);
    }
  });

  test('takes filter, limit, mode, select and consistency', async () => {
    await using cli = await withTickets();
    const ids = async (...args: string[]) => {
      const { hits } = (await cli.json(['query', 'tickets', ...args])) as { hits: { id: string; value: object }[] };
      return hits.map(hit => hit.id);
    };
    expect(await ids('--filter', '{"n":2}')).toEqual(['t2']);
    expect(await ids('--limit', '1')).toEqual(['t1']);
    expect(await ids('parcel', '--mode', 'text', '--max-staleness', '1000')).toEqual(['t1']);
    expect(await ids('--as-of', '2020-01-01T00:00:00Z')).toEqual([]);
    expect(await cli.json(['query', 'tickets', 'refund', '--select', 'n'])).toMatchObject({ hits: [{ value: { n: 2 } }] });
  });

  test.each([
    [['query', 'none'], 1, 'TW_STREAM_NOT_FOUND: '],
    [['query', 'tickets', 'x', '--mode', 'vector'], 1, 'TW_NOT_SEARCHABLE: '],
    [['query', 'tickets', '--filter', '{"n":{"$regex":"x"}}'], 1, 'TW_BAD_REQUEST: '],
    [['query', 'tickets', '--limit', '0'], 1, 'TW_BAD_REQUEST: '],
    [['query', 'tickets', '--at-least', 'nonsense'], 1, 'TW_BAD_TOKEN: '],
    [['query', 'tickets', '--filter', '{"n":'], 2, 'It is not valid JSON'],
    [['query', 'tickets', '--filter', '[]'], 2, 'It must be a JSON object'],
    [['query', 'tickets', '--vector', '{}'], 2, 'It must be a JSON array of numbers'],
    [['query', 'tickets', '--as-of', 'x', '--at-least', 'y'], 2, 'cannot be used with'],
    [['query'], 2, 'missing required argument'],
  ])('%j ends with %i and says %s', async (args, code, message) => {
    await using cli = await withTickets();
    const outcome = await cli.run(args);
    expect(outcome.code, outcome.stderr).toBe(code);
    expect(outcome.stderr).toContain(message);
    expect(outcome.stdout).toBe('');
  });
});

describe('tail', () => {
  test('prints the last records of all partitions in the order they were committed', async () => {
    await using cli = await temporaryCli();
    const tailwater = await Tailwater.open({ dataDir: cli.dataDir });
    await tailwater.createStream('s', { kind: 'append', partitions: 3 });
    for (let n = 0; n < 20; n++) await tailwater.append('s', [{ key: `k${n}`, value: { n } }]);
    await tailwater.compact('s');
    for (let n = 20; n < 25; n++) await tailwater.append('s', [{ key: `k${n}`, value: { n } }]);
    await tailwater.close();
    const numbers = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli.run(['tail', 's', '--json', ...args]);
      expect(code, stderr).toBe(0);
      return stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line).value.n);
    };
    expect(await numbers()).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    expect(await numbers('-n', '3')).toEqual([22, 23, 24]);
    expect((await numbers('--from', 'earliest')).sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, n) => n));
    expect(await numbers('--from', 'earliest', '-n', '4')).toHaveLength(4);
  });

  test('shows keys of any bytes, deletions, and numbers as they were written', async () => {
    await using cli = await temporaryCli();
    const tailwater = await Tailwater.open({ dataDir: cli.dataDir });
    await tailwater.createStream('s', { kind: 'upsert' });
    await tailwater.appendNdjson('s', '{"key":"text","value":{"n":12345678901234567890}}', { envelope: true });
    await tailwater.append('s', [{ key: { base64: '/w==' }, value: { b: 1 } }]);
    await tailwater.deleteRow('s', 'text');
    await tailwater.close();
    const { stdout } = await cli.run(['tail', 's']);
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toMatch(/^\S+Z 0:0 text \{"n":12345678901234567890\}$/);
    expect(lines[1]).toMatch(/^\S+Z 0:1 base64:\/w== \{"b":1\}$/);
    expect(lines[2]).toMatch(/^\S+Z 0:2 text \(deleted\)$/);
  });

  test('of an empty stream prints nothing, from beyond the head it fails', async () => {
    await using cli = await temporaryCli();
    await cli.run(['streams', 'create', 's']);
    expect(await cli.run(['tail', 's'])).toEqual({ code: 0, stdout: '', stderr: '' });
    const outcome = await cli.run(['tail', 's', '--from', '7']);
    expect([outcome.code, outcome.stderr.split(':')[0]]).toEqual([1, 'TW_OFFSET_OUT_OF_RANGE']);
  });
});

describe('streams and compact', () => {
  test('create, list, show, compact and delete', async () => {
    await using cli = await withTickets();
    expect((await cli.run(['streams'])).stdout).toMatch(/^STREAM .*\n(.*\n)*tickets +upsert +1 +2 /);
    expect((await cli.run(['compact', 'tickets'])).stdout).toMatch(/^tickets: 2 rows, 1 superseded, table state \d+/);
    expect((await cli.run(['streams', 'show', 'tickets'])).stdout).toMatch(/columns: +.*text string/);
    const created = await cli.json([
      'streams',
      'create',
      'e',
      '--time',
      'at:ms',
      '--embed',
      'a,b',
      '--partitions',
      '2',
      '--history',
      'forever',
    ]);
    expect(created).toMatchObject({
      definition: {
        kind: 'append',
        time: { field: 'at', unit: 'ms' },
        embed: { fields: ['a', 'b'] },
        partitions: 2,
        historyMs: null,
      },
    });
    expect((await cli.run(['compact', 'e'])).stdout).toBe('e has no records, so it has no table yet.\n');
    expect((await cli.run(['streams', 'create', 'e', '--kind', 'upsert'])).stderr).toContain('TW_STREAM_EXISTS');
    expect((await cli.run(['streams', 'delete', 'e'])).stdout).toBe('Deleted e.\n');
    expect((await cli.run(['streams', 'show', 'e'])).stderr).toContain('TW_STREAM_NOT_FOUND');
  });
});

describe('streams change', () => {
  test('changes what a stream keeps, by duration, bytes or both, and takes settings back to their defaults', async () => {
    await using cli = await temporaryCli();
    const definitionAfter = async (...args: string[]) =>
      ((await cli.json(['streams', ...args])) as { definition: Record<string, unknown> }).definition;
    const created = await definitionAfter('create', 's', '--retention', '10GiB');
    expect(created).toMatchObject({ retentionMs: null, retentionBytes: 10 * 1024 ** 3 });
    expect(await definitionAfter('change', 's', '--retention', 'P30D,1.5MiB', '--ttl', 'until')).toMatchObject({
      retentionMs: 30 * 86_400_000,
      retentionBytes: 1_572_864,
      ttl: { field: 'until' },
    });
    const maintained = ['--maintenance', '{"compactionsPerOptimize":3}', '--history', 'PT1H'];
    expect(await definitionAfter('change', 's', ...maintained)).toMatchObject({
      retentionBytes: 1_572_864,
      historyMs: 3_600_000,
      maintenance: { compactionsPerOptimize: 3 },
    });
    const defaults = ['--retention', '--ttl', '--maintenance', '--history'].flatMap(option => [option, 'default']);
    const { retentionBytes: _retentionBytes, ...rest } = created;
    expect(await definitionAfter('change', 's', ...defaults)).toEqual(rest);
    for (const bad of ['P1D,P2D', '1GiB,2GiB', 'P1D,1GiB,2GiB', '10GB', '0B']) {
      expect((await cli.run(['streams', 'change', 's', '--retention', bad])).code, bad).not.toBe(0);
    }
  });
});

describe('every command', () => {
  const commands = ['start', 'streams', 'ingest', 'tail', 'query', 'compact', 'inspect'];

  test.each(commands)('%s explains itself with examples', async command => {
    await using cli = await temporaryCli();
    const { code, stdout } = await cli.run([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: tailwater');
    expect(stdout).toMatch(/\nExamples:\n {2}\$ .*tailwater /);
    expect(stdout).toMatch(command === 'streams' ? /create/ : /--json/);
  });

  test('an error says what happened and what to do; with --json it is a problem document', async () => {
    await using cli = await withTickets();
    const { stderr } = await cli.run(['query', 'none']);
    expect(stderr.split('\n')).toHaveLength(3);
    expect(stderr).toMatch(/^TW_STREAM_NOT_FOUND: .*"none".*\n {2}Create it /);
    const json = await cli.run(['query', 'none', '--json']);
    expect(JSON.parse(json.stderr)).toMatchObject({ code: 'TW_STREAM_NOT_FOUND', status: 404 });
    expect(json.stdout).toBe('');
  });

  test('says when there is no such command, no data folder, or another process in it', async () => {
    await using cli = await temporaryCli();
    expect(await cli.run(['quary'])).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown command 'quary'") });
    for (const args of [['query', 's'], ['tail', 's'], ['compact', 's'], ['streams'], ['inspect']]) {
      expect(await cli.run(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no data folder at') });
    }
    await using stack = new AsyncDisposableStack();
    const tailwater = await Tailwater.open({ dataDir: cli.dataDir });
    stack.defer(() => tailwater.close());
    expect(await cli.run(['streams'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/^TW_FOLDER_IN_USE: /) });
  });

  test('can be pointed at a server that is away, and says so', async () => {
    await using cli = await temporaryCli();
    const outcome = await cli.run(['streams', '--url', 'http://127.0.0.1:9']);
    expect(outcome).toMatchObject({ code: 1, stderr: expect.stringMatching(/^TW_UNREACHABLE: .*127\.0\.0\.1:9/) });
  });
});
