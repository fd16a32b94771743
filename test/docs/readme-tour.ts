import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { QueryAnswer, ReadAnswer, RowAnswer, StreamInfo } from '../../src/index.ts';
import { type Background, type Done, ROOT, type Shell } from './shell.ts';

/** What the README says; it is also where its server listens. */
const ADDRESS = 'localhost:8787';

/** One walk through the README, and what later steps need to know of earlier ones. */
export class Tour {
  readonly shell: Shell;
  server: Background | null = null;
  address = '';
  /** The hits of the first search. */
  found: { id: string; score: number }[] = [];

  constructor(shell: Shell) {
    this.shell = shell;
  }

  /** Runs a command as it stands, but for the port; it must succeed. */
  async run(command: string): Promise<Done> {
    const done = await this.shell.run(command.replaceAll(ADDRESS, this.address));
    expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
    return done;
  }

  /** The answer of a command that prints JSON; a problem document has none of the members that are asked for. */
  async json<T>(command: string): Promise<T> {
    return JSON.parse((await this.run(command)).stdout);
  }

  get<T>(path: string): Promise<T> {
    return this.json(`curl -s ${ADDRESS}${path}`);
  }
}

/** How to check one command of the README. */
export interface Step {
  command: RegExp;
  check(tour: Tour, command: string): Promise<void>;
}

/** In the order of the README. A command is checked by the one step whose pattern it matches. */
export const STEPS: readonly Step[] = [
  { command: /^npx tailwater start$/, check: start },
  { command: /^curl -X PUT \S+\/streams\/tickets /, check: createStream },
  { command: /^curl -X POST \S+\/tickets\/records [\s\S]*"T-2"/, check: append },
  { command: /^curl -X POST \S+\/tickets\/query /, check: search },
  { command: /^npx tailwater compact tickets$/, check: compact },
  { command: /^npx tailwater query tickets /, check: searchAgain },
  { command: /^curl -X POST \S+\/tickets\/records [\s\S]*arrived, thank you/, check: change },
  { command: /^curl \S+\/tickets\/rows\/T-1$/, check: readRow },
  { command: /^curl \S+\/tickets\/records\?from=earliest'$/, check: readStream },
  { command: /^npx tailwater tail tickets --follow$/, check: follow },
  { command: /^npx tailwater ingest docs --stream guides$/, check: ingest },
  { command: /^npx tailwater query guides /, check: searchGuides },
];

async function start(tour: Tour, command: string): Promise<void> {
  const { stdout } = await tour.run(`${command} --help`);
  const help = stdout.replaceAll(/\s+/g, ' ');
  expect(help).toMatch(/--data .*\(default: \.tailwater\).*--host .*\(default: 127\.0\.0\.1\).*--port .*\(default: 8787\)/);
  tour.server = tour.shell.background(`${command} --port 0`);
  const line = await tour.server.line();
  const listening = /^Tailwater listens on http:\/\/127\.0\.0\.1:(\d+) \(data folder \.tailwater\)/.exec(line);
  expect(listening, line).not.toBeNull();
  tour.address = `localhost:${listening![1]}`;
}

async function createStream(tour: Tour, command: string): Promise<void> {
  const { definition } = await tour.json<StreamInfo>(command);
  expect(definition).toMatchObject({ name: 'tickets', kind: 'upsert', search: { fields: ['text'] } });
}

async function append(tour: Tour, command: string): Promise<void> {
  const answer = await tour.json<{ token: string }>(command);
  expect(answer).toMatchObject({ accepted: 2, rejected: [], partitions: [{ partition: 0, first: 0, last: 1 }] });
  const read = await tour.get<ReadAnswer>(`/v1/streams/tickets/records?atLeast=${answer.token}`);
  expect(read.records.map(record => record.key)).toEqual(['T-1', 'T-2']);
}

async function search(tour: Tour, command: string): Promise<void> {
  const { hits, freshness } = await tour.json<QueryAnswer>(command);
  expect(hits[0]).toMatchObject({ id: 'T-1', tier: 'tail', ranks: { text: 1, vector: 1 } });
  expect(freshness).toMatchObject({ complete: true, skipped: [] });
  tour.found = hits;
}

async function compact(tour: Tour, command: string): Promise<void> {
  expect((await tour.run(command)).stdout).toMatch(/^tickets: 2 rows, 0 superseded, /);
  expect(await tour.get('/v1/streams/tickets')).toMatchObject({ lag: 0, watermark: [1] });
}

async function searchAgain(tour: Tour, command: string): Promise<void> {
  const { hits, freshness } = await tour.json<QueryAnswer>(`${command} --json`);
  expect(hits.map(({ id, score }) => ({ id, score }))).toEqual(tour.found.map(({ id, score }) => ({ id, score })));
  expect(hits.map(hit => hit.tier)).toEqual(hits.map(() => 'table'));
  expect(freshness).toMatchObject({ complete: true, tailRows: 0 });
  const { stdout } = await tour.run(command);
  expect(stdout).toMatch(/^1 +\S+ +table +\S+ \S+ +T-1 /m);
  expect(stdout).toMatch(/^2 hits; complete; /m);
}

async function change(tour: Tour, command: string): Promise<void> {
  expect(await tour.json(command)).toMatchObject({ accepted: 1, partitions: [{ first: 2, last: 2 }] });
}

async function readRow(tour: Tour, command: string): Promise<void> {
  const { record, tier, freshness } = await tour.json<RowAnswer>(command);
  expect(record).toMatchObject({ key: 'T-1', offset: 2, value: { text: 'The parcel arrived, thank you' } });
  expect(tier).toBe('tail');
  expect(freshness.complete).toBe(true);
}

async function readStream(tour: Tour, command: string): Promise<void> {
  const { records } = await tour.json<ReadAnswer>(command);
  expect(records.map(({ offset, key }) => [offset, key])).toEqual([
    [0, 'T-1'],
    [1, 'T-2'],
    [2, 'T-1'],
  ]);
}

/** A record that is written while it runs must come; Ctrl-C must end it well. */
async function follow(tour: Tour, command: string): Promise<void> {
  const following = tour.shell.background(command);
  for (const place of ['0:0 T-1', '0:1 T-2', '0:2 T-1']) expect(await following.line()).toContain(` ${place} `);
  const body = JSON.stringify({ records: [{ value: { id: 'T-live', text: 'Written while it follows' } }] });
  await tour.run(`curl -s -X POST ${ADDRESS}/v1/streams/tickets/records -H 'content-type: application/json' -d '${body}'`);
  expect(await following.line()).toMatch(/ 0:3 T-live .*Written while it follows/);
  expect(await following.interrupt()).toBe(0);
}

async function ingest(tour: Tour, command: string): Promise<void> {
  await cp(join(ROOT, 'docs'), join(tour.shell.cwd, 'docs'), { recursive: true });
  const first = await tour.run(command);
  const counts = /^guides: (\d+) documents written \((\d+) chunks added, 0 kept, 0 removed\), 0 unchanged\.$/m.exec(first.stdout);
  const [documents, chunks] = counts!.slice(1).map(Number);
  expect(documents).toBeGreaterThan(10);
  const { stdout } = await tour.run(command);
  expect(stdout).toContain(`guides: 0 documents written (0 chunks added, 0 kept, 0 removed), ${documents} unchanged.`);
  expect(await tour.get('/v1/streams/guides')).toMatchObject({ rows: documents + chunks, head: [documents + chunks - 1] });
}

async function searchGuides(tour: Tour, command: string): Promise<void> {
  const { hits } = await tour.json<QueryAnswer>(`${command} --json`);
  expect(hits[0].source).toMatchObject({ document: 'ARCHITECTURE.md', heading: ['Architecture', 'Layers'] });
  expect((await tour.run(command)).stdout).toMatch(/^10 hits; complete; /m);
}
