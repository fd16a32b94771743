import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom, systemClock } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import { Dice } from '../simulation/dice.ts';
import { Check } from './check.ts';
import { Ledger } from './ledger.ts';
import { Load, STREAMS } from './load.ts';
import type { NodeSettings } from './node-main.ts';
import { NodeProcess } from './node-process.ts';
import { planRounds, type Round, type StoreKind } from './plan.ts';
import { emptyReport, type KillReport } from './report.ts';
import { S3Server } from './s3-server.ts';
import { verify } from './verify.ts';

export interface RunOptions {
  store: StoreKind;
  rounds: number;
  seed: number;
  /** An empty folder for everything; it is left as it is when a promise was broken. */
  folder: string;
  onRound?: (round: Round, report: KillReport) => void;
  /** Ends the run after the round it is in, with everything checked and reported. */
  signal?: AbortSignal;
}

/** Rounds of load, kill, start and check, until the plan is at its end or a promise is broken. */
export async function run(options: RunOptions): Promise<KillReport> {
  const { store, rounds, seed, folder } = options;
  const startedMs = performance.now();
  const server = store === 's3' ? await S3Server.start(join(folder, 's3')) : null;
  await using lives = new Lives(options, server);
  const { report } = lives;
  try {
    for (const round of planRounds(store, rounds, seed)) {
      if (options.signal?.aborted) break;
      if (round.fresh) await lives.begin();
      await lives.round(round);
      options.onRound?.(round, report);
      if (report.violations.length > 0) break;
    }
    await lives.end();
  } catch (error) {
    report.violations.push({
      kind: 'wrong',
      what: `after round ${report.rounds}: ${error instanceof Error ? error.message : error}`,
    });
  }
  report.milliseconds = Math.round(performance.now() - startedMs);
  return report;
}

/** One store after another, each with a ledger of its own and one node after another. */
class Lives implements AsyncDisposable {
  readonly report: KillReport;
  readonly #options: RunOptions;
  readonly #server: S3Server | null;
  #number = 0;
  #settings: NodeSettings = { dataDir: '', s3: null, compactionHost: 'inline' };
  #ledger = new Ledger();
  #node: NodeProcess | null = null;

  constructor(options: RunOptions, server: S3Server | null) {
    this.#options = options;
    this.#server = server;
    this.report = emptyReport(options.store, options.seed);
  }

  async begin(): Promise<void> {
    await this.end();
    const dataDir = join(this.#options.folder, `data-${++this.#number}`);
    await mkdir(dataDir);
    this.#settings = { ...this.#settings, dataDir, s3: this.#server?.settings(`life-${this.#number}`) ?? null };
    this.#ledger = new Ledger();
    const client = new TailwaterClient({ url: await this.#start() });
    for (const [name, settings] of Object.entries(STREAMS)) await client.createStream(name, settings);
  }

  async round(round: Round): Promise<void> {
    const { number } = round;
    const seed = this.#options.seed * 100_003 + number;
    const load = new Load(this.#ledger, await this.#node!.url, `r${number}`, seed);
    await systemClock.sleep(round.loadMs);
    await this.#endLoad(round);
    await load.stop();
    this.#settings = { ...this.#settings, compactionHost: round.compactionHost };
    if (round.ending === 'starting') await this.#killStarting(round);
    const url = await this.#start();
    const check = new Check(this.#ledger, url, new Dice(seededRandom(seed)));
    const { unknownPresent, unknownAbsent, tableStates, logFloor } = await check.everything();
    const { report } = this;
    report.rounds++;
    report.unknownPresent += unknownPresent;
    report.unknownAbsent += unknownAbsent;
    this.#ledger.progress = { tableStates, logSegmentsCollected: logFloor - 1 };
    this.#takeViolations(`round ${number} (${round.ending})`);
  }

  /** Verifies everything that the life has left, twice: as a kill left it, and after a clean stop; then removes it. */
  async end(): Promise<void> {
    const node = this.#node;
    if (node === null) return;
    const { report } = this;
    await this.#kill('group');
    await this.#verify('after a kill');
    await this.#start();
    await this.#node!.stop();
    this.#node = null;
    await this.#verify('after a clean stop');
    this.#count();
    if (report.violations.length === 0) await rm(this.#settings.dataDir, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node?.kill('group');
    await this.#server?.kill();
  }

  async #endLoad({ ending, pausesMs }: Round): Promise<void> {
    if (this.#node!.isEnded) throw new Error(`The node ended by itself. ${this.#node!.stderr}`);
    if (ending === 'clean') {
      await this.#node!.stop();
      this.report.kills.cleanStops++;
      return;
    }
    if (ending === 'compaction') await this.#killCompactions(pausesMs);
    if (ending === 'server' || ending === 'both') await this.#killServer(ending, pausesMs);
    if (ending !== 'both') await this.#kill(ending === 'alone' ? 'alone' : 'group');
  }

  async #killCompactions(pausesMs: readonly number[]): Promise<void> {
    for (const pauseMs of pausesMs) {
      if (this.#node!.killCompaction()) this.report.kills.compaction++;
      await systemClock.sleep(pauseMs);
    }
  }

  async #killServer(ending: 'server' | 'both', pausesMs: readonly number[]): Promise<void> {
    const server = this.#server!;
    if (ending === 'both') {
      await Promise.all([server.kill(), this.#kill('group')]);
      this.report.kills.s3++;
      return server.start();
    }
    for (const pauseMs of pausesMs) {
      await server.kill();
      this.report.kills.s3++;
      await systemClock.sleep(pauseMs);
      await server.start();
      await systemClock.sleep(pauseMs);
    }
  }

  async #killStarting({ pausesMs }: Round): Promise<void> {
    for (const pauseMs of pausesMs) {
      const node = new NodeProcess(this.#settings);
      this.#node = node;
      await systemClock.sleep(pauseMs);
      await this.#kill('group');
      this.report.kills.starting++;
    }
  }

  async #kill(whom: 'group' | 'alone'): Promise<void> {
    const node = this.#node!;
    if (node.isEnded) throw new Error(`The node ended by itself. ${node.stderr}`);
    await node.kill(whom);
    this.report.kills.node++;
    this.#node = null;
  }

  async #start(): Promise<string> {
    this.#node = new NodeProcess(this.#settings);
    return this.#node.url;
  }

  async #verify(when: string): Promise<void> {
    this.report.verifications++;
    for (const problem of await verify(this.#settings)) this.#ledger.violated('wrong', problem);
    this.#takeViolations(`verified ${when}`);
  }

  #takeViolations(when: string): void {
    for (const { kind, what } of this.#ledger.violations.splice(0))
      this.report.violations.push({ kind, what: `${when}: ${what}` });
  }

  #count(): void {
    const { report } = this;
    report.stores++;
    for (const { outcome, records } of this.#ledger.batches) {
      report.batches[outcome]++;
      if (outcome === 'acknowledged') report.records += records.length;
    }
    report.tableStates += this.#ledger.progress.tableStates;
    report.logSegmentsCollected += this.#ledger.progress.logSegmentsCollected;
  }
}
