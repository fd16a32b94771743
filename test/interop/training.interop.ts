import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandsOf, fencedBlocks } from '../docs/markdown.ts';
import { type Done, ROOT, Shell } from '../docs/shell.ts';
import { type Environment, prepareEnvironment } from './environment.ts';
import { fillEvents, fillNotes, fillReadings, fillUsers } from './fixtures.ts';
import { startNode } from './node.ts';
import { run } from './programs.ts';

const EXAMPLE = join(ROOT, 'examples', 'training');
const ADDRESS = 'http://127.0.0.1:8787';
const CLICKS = 40_000;

interface Content {
  rows: number;
  hash: string;
  format?: string;
  whole?: boolean;
}

let environment: Environment;
let folder: string;

beforeAll(async () => {
  environment = await prepareEnvironment();
  expect(['pyarrow', 'pyiceberg', 'pylance'].map(name => environment.missing.get(name))).toEqual(Array(3).fill(undefined));
  folder = await mkdtemp(join(tmpdir(), 'tailwater-training-'));
  await cp(EXAMPLE, join(folder, 'training'), { recursive: true, filter: path => !path.includes('__pycache__') });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a program of the example prints. */
async function contentOf(program: string, url: string, ...args: string[]): Promise<Content> {
  const { code, stdout, stderr } = await run(environment.python, [join(folder, 'training', program), '--url', url, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe('the example for training', () => {
  test('scans and tables of every kind have the same content at a tag, whatever is written later', async () => {
    await using node = await startNode();
    const { client, url } = node;
    await fillEvents(client);
    await fillUsers(client);
    await fillReadings(client);
    await fillNotes(client);
    const streams = { events: 2500, users: 280, readings: 300, notes: 180 };
    for (const name of Object.keys(streams)) await client.createTag(name, 'june');
    await client.append('events', [{ value: { at: '2026-03-01T00:00:00Z', id: 7 } }]);
    await client.append('users', [{ value: { user: 'u299', name: 'Changed', visits: 9 } }]);
    await client.append('notes', [{ key: 'n150', value: null }]);
    const newest = { events: 2501, users: 280, readings: 300, notes: 179 };
    for (const [stream, rows] of Object.entries(streams)) {
      const scanned = await contentOf('read_scan.py', url, stream, '--as-of', 'tag:june');
      const read = await contentOf('read_table.py', url, stream, '--tag', 'june');
      const format = stream === 'notes' ? 'lance' : 'iceberg';
      expect({ stream, ...read }).toEqual({ stream, rows, format, hash: scanned.hash });
      const now = await contentOf('read_scan.py', url, stream);
      expect({ stream, rows: now.rows, same: now.hash === scanned.hash }).toEqual({
        stream,
        rows: newest[stream as keyof typeof newest],
        same: stream === 'readings',
      });
    }
  });

  test('a scan whose connection breaks goes on by itself, and comes to the same content', async () => {
    await using node = await startNode();
    await node.client.createStream('clicks', { kind: 'append' });
    for (let first = 0; first < CLICKS; first += 10_000) {
      const values = Array.from({ length: 10_000 }, (_, at) => ({ value: { id: first + at, text: 'x'.repeat(400) } }));
      await node.client.append('clicks', values);
    }
    const whole = await contentOf('read_scan.py', node.url, 'clicks');
    await using proxy = await proxyThatCuts(node.url, 10_000_000);
    expect(await contentOf('read_scan.py', proxy.url, 'clicks')).toEqual(whole);
    expect(proxy.connections()).toBe(2);
  });

  test('every command of the README does what it says', async () => {
    const home = join(folder, 'training');
    await using shell = await Shell.open(home, join(folder, 'tools'));
    const server = shell.background('npx tailwater start --port 0');
    const listening = /http:\/\/127\.0\.0\.1:\d+/.exec(await server.line());
    const url = listening![0];
    const python = dirname(environment.python);
    const blocks = fencedBlocks(await readFile(join(EXAMPLE, 'README.md'), 'utf8'));
    const printed = new Map<string, Content[]>();
    for (const command of blocks.filter(({ language }) => language === 'sh').flatMap(commandsOf)) {
      if (command === 'npx tailwater start') continue;
      const done = await shell.run(`PATH='${python}'${delimiter}"$PATH"; ${addressed(command, url)}`);
      expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
      if (command.includes('.py')) printed.set(command, [...(printed.get(command) ?? []), parsed(done)]);
    }
    checkReadme(printed);
    const [program] = blocks.filter(({ language }) => language === 'python');
    await writeFile(join(home, 'loop.py'), program.text.replaceAll(ADDRESS, url));
    const { code, stdout, stderr } = await run(environment.python, [join(home, 'loop.py')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(Number(stdout.split(' ')[0])).toBeGreaterThan(CLICKS / 5);
    await server.interrupt();
  });
});

/** As it stands, but for the port. */
function addressed(command: string, url: string): string {
  return command.replaceAll(/(read_\w+\.py)/g, `$1 --url ${url}`);
}

function parsed({ stdout }: Done): Content {
  return JSON.parse(stdout);
}

function checkReadme(printed: ReadonlyMap<string, Content[]>): void {
  const of = (command: string): Content[] => printed.get(command) ?? [];
  const [june, ...again] = of('python read_scan.py clicks --as-of tag:june');
  expect(june).toMatchObject({ rows: CLICKS, whole: true });
  expect(again).toEqual([june]);
  const same = { rows: CLICKS, hash: june.hash };
  expect(of('python read_table.py clicks --tag june')).toEqual([{ ...same, format: 'iceberg' }]);
  const [notes] = of('python read_scan.py notes --as-of tag:june');
  expect(of('python read_table.py notes --tag june')).toEqual([{ rows: 200, hash: notes.hash, format: 'lance' }]);
  const [now] = of('python read_scan.py clicks');
  expect(now.rows).toBe(CLICKS + 1);
  const [before, after] = of('python read_table.py clicks');
  expect([before.hash, after.hash]).toEqual([june.hash, now.hash]);
  const parts = [...printed].find(([command]) => command.endsWith('python content_hash.py'))![1];
  expect(parts).toEqual([same]);
  const [begun] = of('python read_scan.py clicks --as-of tag:june --position run.json --max-batches 1');
  expect(begun).toMatchObject({ whole: false });
  expect(begun.rows).toBeLessThan(CLICKS);
  expect(of('python read_scan.py clicks --as-of tag:june --position run.json')).toMatchObject([{ ...same, whole: true }]);
}

/** A TCP proxy that ends its first connection in the middle of the answer. */
async function proxyThatCuts(target: string, afterBytes: number) {
  let connections = 0;
  const proxy = createServer(near => {
    const isFirst = connections++ === 0;
    const far = connect(Number(new URL(target).port), '127.0.0.1');
    let passed = 0;
    far.on('data', part => {
      passed += part.length;
      if (isFirst && passed > afterBytes) near.destroy();
    });
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => {}).on('close', () => [near, far].map(each => each.destroy()));
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as { port: number }).port}`,
    connections: () => connections,
    [Symbol.asyncDispose]: () => new Promise<void>(resolve => proxy.close(() => resolve())),
  };
}
