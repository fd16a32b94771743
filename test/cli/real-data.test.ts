import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Random, seededRandom } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import type { ApiRecord, JsonObject, QueryHit } from '../../src/index.ts';
import { type AppendProxy, appendProxy, type Fate } from './append-proxy.ts';
import { BIN, type Running, runBin, start } from './process-support.ts';
import { type DataSet, dataFolder, SETS, sourceRows } from './real-data-sets.ts';

const FOLDER = dataFolder();
const PAGE = 10_000;
const LIMIT = 1000;

/** At which append of a run it is killed, and what became of that append. */
interface Death {
  append: number;
  fate: Fate;
}

/** Forty thousand rows are read some ten times: about 20 s on two idle cores. */
const SLOW_MS = 180_000;

const cases = SETS.map((set, index) => ({ set, seed: index + 1 }));

describe('real data, through the command line, into a server that compacts meanwhile', () => {
  let home: string;
  let server: Running;
  let client: TailwaterClient;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'tailwater-real-'));
    server = await start({ dataDir: join(home, 'data') });
    client = new TailwaterClient({ url: server.url });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  test.each(cases)(
    'every row of $set.name is there exactly once, as stream and as table (seed $seed)',
    { timeout: SLOW_MS },
    async ({ set, seed }) => {
      if (FOLDER === null) {
        console.info(`The real data set ${set.name} was left out: set TAILWATER_DATA to the folder that holds ${set.file}.`);
        return;
      }
      const source = sourceRows(set, FOLDER);
      const random = seededRandom(seed);
      const check = new Check(client, set, source, random);
      // The smallest file is two appends: either way one of them is in, and one is not.
      const death: Death = random.float() < 0.5 ? { append: 1, fate: 'lose-reply' } : { append: 2, fate: 'lose-request' };
      const killed = new Ingestion(check, random, death);
      expect(await killed.run(server.url, FOLDER)).toMatchObject({ signal: 'SIGKILL' });
      const left = await check.soFar();
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThan(source.length);
      const resumed = new Ingestion(check, random, null);
      expect(await resumed.run(server.url, FOLDER)).toMatchObject({ code: 0, records: source.length - left, rejected: 0 });
      expect((await killed.compactions()) + (await resumed.compactions())).toBeGreaterThan(0);
      await check.everything();
      const compaction = client.compact(set.name, { full: true });
      await check.everything();
      await compaction;
      expect(await check.everything()).toEqual(['table']);
      await check.table();
      const again = await new Ingestion(check, random, null).run(server.url, FOLDER);
      expect(again).toMatchObject({ code: 0, records: 0, skippedFiles: 1 });
      await check.table();
      expect(await check.soFar()).toBe(source.length);
    },
  );
});

/** One run of `tailwater ingest`, each append of which is an occasion to look, to compact, and to die. */
class Ingestion {
  readonly #check: Check;
  readonly #random: Random;
  readonly #death: Death | null;
  readonly #compactions: Promise<unknown>[] = [];
  #appends = 0;

  constructor(check: Check, random: Random, death: Death | null) {
    this.#check = check;
    this.#random = random;
    this.#death = death;
  }

  async run(url: string, folder: string): Promise<Record<string, unknown>> {
    let kill = (): void => {};
    await using proxy: AppendProxy = await appendProxy(
      url,
      () => this.#fate(),
      () => kill(),
    );
    const { name, file, options } = this.#check.set;
    const args = ['ingest', join(folder, file), '--stream', name, ...options, '--url', proxy.url, '--json'];
    if (this.#death === null) {
      const { code, stdout, stderr } = await runBin(args);
      expect(code, stderr).toBe(0);
      return { code, ...JSON.parse(stdout) };
    }
    const child = spawn(process.execPath, [BIN, ...args], { stdio: 'ignore' });
    kill = () => void child.kill('SIGKILL');
    return await new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal })));
  }

  /** Waits for those it began; how many they were. */
  async compactions(): Promise<number> {
    return (await Promise.all(this.#compactions)).length;
  }

  async #fate(): Promise<Fate> {
    if (this.#random.float() < 0.7) this.#compactions.push(this.#check.client.compact(this.#check.set.name));
    await this.#check.soFar();
    this.#appends++;
    return this.#death !== null && this.#appends === this.#death.append ? this.#death.fate : 'pass';
  }
}

/** Holds a stream against the rows of its source. */
class Check {
  readonly client: TailwaterClient;
  readonly set: DataSet;
  readonly #source: readonly string[];
  readonly #random: Random;
  readonly #slices: ReturnType<DataSet['slices']>;

  constructor(client: TailwaterClient, set: DataSet, source: readonly string[], random: Random) {
    this.client = client;
    this.set = set;
    this.#source = source;
    this.#random = random;
    this.#slices = set.slices(source);
  }

  /** What is there is a beginning of the source, as stream and as table; how long it is. */
  async soFar(): Promise<number> {
    const present = (await this.#stream()).length;
    const slice = this.#slices[Math.floor(this.#random.float() * this.#slices.length)];
    await this.#asTable(slice, this.#source.slice(0, present));
    return present;
  }

  /** The whole source is there, as stream and as table; the tiers it came from. */
  async everything(): Promise<string[]> {
    expect(await this.#stream()).toHaveLength(this.#source.length);
    const tiers = new Set<string>();
    let found = 0;
    for (const slice of this.#slices) {
      const hits = await this.#asTable(slice, this.#source);
      found += hits.length;
      for (const { tier } of hits) tiers.add(tier);
    }
    expect(found).toBe(this.#source.length);
    return [...tiers].sort();
  }

  /** The state of the table, after a full compaction. */
  async table(): Promise<void> {
    const { state } = await this.client.getTable(this.set.name);
    const { head, watermark, lag, rows } = await this.client.getStream(this.set.name);
    expect([watermark, lag, rows]).toEqual([head, 0, this.#source.length]);
    expect(state).toMatchObject({ rowCount: this.#source.length, changeCount: 0, watermark: head });
    if (this.set.kind === 'append') return;
    for (let count = 0; count < 20; count++) {
      const row = this.#source[Math.floor(this.#random.float() * this.#source.length)];
      const { record, tier } = await this.client.getRow(this.set.name, JSON.parse(row).id);
      expect([this.set.textOf(record.value as JsonObject), tier]).toEqual([row, 'table']);
    }
  }

  /** Every partition from 0 to its head: dense offsets, and together a beginning of the source. */
  async #stream(): Promise<ApiRecord[]> {
    const { head } = await this.client.getStream(this.set.name);
    expect(head).toHaveLength(this.set.partitions);
    const records: ApiRecord[] = [];
    for (const [partition, last] of head.entries()) {
      const offsets: number[] = [];
      for (let from = 0; from <= last; ) {
        const page = await this.client.read(this.set.name, { partition, from, limit: PAGE });
        records.push(...page.records);
        offsets.push(...page.records.map(record => record.offset));
        from = page.next;
      }
      expectSame(
        offsets,
        Array.from({ length: last + 1 }, (_, offset) => offset),
      );
    }
    const texts = records.map(({ value }) => this.set.textOf(value as JsonObject));
    const expected = this.#source.slice(0, texts.length);
    if (this.set.partitions === 1) expectSame(texts, expected);
    else expectSame(texts.sort(), expected.sort());
    return records;
  }

  async #asTable({ filter, matches }: ReturnType<DataSet['slices']>[number], rows: readonly string[]): Promise<QueryHit[]> {
    const { hits, freshness } = await this.client.query(this.set.name, { filter, mode: 'filter', limit: LIMIT });
    expect(freshness).toMatchObject({ complete: true, skipped: [] });
    expect(new Set(hits.map(hit => hit.id)).size).toBe(hits.length);
    expectSame(hits.map(({ value }) => this.set.textOf(value)).sort(), rows.filter(matches).sort());
    return hits;
  }
}

/** Like toEqual, for lists too long to be shown. */
function expectSame<T>(found: readonly T[], expected: readonly T[]): void {
  const at = Array.from({ length: Math.max(found.length, expected.length) }, (_, index) => index).find(
    index => found[index] !== expected[index],
  );
  if (at === undefined) return;
  expect({ at, length: found.length, item: found[at] }).toEqual({ at, length: expected.length, item: expected[at] });
}
