import { isTailwaterError, type Random, seededRandom, TailwaterError } from '../../src/base/index.ts';
import { MemoryTableStore } from '../../src/lakehouse/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { type Faults, type FaultyObjectStore, NO_FAULTS } from '../harness/faulty-object-store.ts';
import { SimFileSystem } from '../harness/sim-file-system.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { Life, ProcessDied } from './life.ts';
import type { Plan } from './plan.ts';
import type { RemoteService } from './remote-provider.ts';
import { SimNode } from './sim-node.ts';
import { checkTable } from './table-check.ts';
import { Truth } from './truth.ts';
import { TruthStore } from './truth-store.ts';
import { Violation } from './violation.ts';

const RESTART_MS = 500;
const MAX_STARTS = 400;

/** A token that some answer carried, and the segment it names. */
export interface KnownToken {
  stream: number;
  incarnation: string;
  token: string;
  segment: number;
}

/** What happens to appends, by operation. */
export interface Fate {
  marks: string[];
  kind: 'acknowledged' | 'unknown' | 'failed';
}

/** One run: the shared stores, the nodes on them, and what the outside has been told. */
export class World {
  readonly plan: Plan;
  readonly clock = new VirtualClock();
  readonly truth: Truth;
  readonly store: TruthStore;
  readonly tables: MemoryTableStore;
  readonly service: RemoteService;
  readonly stores: FaultyObjectStore[] = [];
  readonly nodes: (SimNode | null)[];
  readonly definitions: StreamDefinition[] = [];
  readonly tokens: KnownToken[] = [];
  readonly fates = new Map<string, Fate>();
  /** By idempotency key, the appends that used it. */
  readonly keys = new Map<string, string[]>();
  /** Names of streams that were deleted, or may have been. */
  readonly recreated = new Set<string>();
  readonly trace: string[] = [];
  /** Nodes that are started again when they die. */
  readonly expected = new Set<SimNode>();
  /** Something old has been let go of: what names it may be refused. */
  collected = false;
  faults: Partial<Faults> = NO_FAULTS;
  disk: SimFileSystem | null;
  /** Nobody asks for anything any more; what is under way lands. */
  calm = false;
  /** The run is over: nothing is started any more. */
  healed = false;
  readonly random: Random;
  readonly #failure = Promise.withResolvers<never>();
  readonly #running = new Set<Promise<void>>();
  #failed: unknown = null;

  constructor(plan: Plan) {
    this.plan = plan;
    this.random = seededRandom(plan.seed * 2 + 2);
    this.#failure.promise.catch(() => {});
    this.truth = new Truth(
      () => this.clock.nowMs(),
      error => this.fail(error),
      // At once, before anybody prunes it, and from the side: the model's reads take no time.
      (model, state) => this.spawn(() => checkTable(this, model, state)),
    );
    this.store = new TruthStore(new MemoryObjectStore(), this.truth);
    this.tables = new MemoryTableStore({ random: seededRandom(plan.seed + 77) });
    this.service = { down: false, failing: 0, maxDelayMs: plan.rates.maxDelayMs };
    this.disk = plan.journal === 'file' ? new SimFileSystem(seededRandom(this.nextSeed())) : null;
    this.nodes = Array.from({ length: plan.nodes }, () => null);
  }

  /** Rejects when something was found to be wrong. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  fail(error: unknown): void {
    if (this.#failed !== null) return;
    this.#failed = error;
    this.note(`FAILED ${error instanceof Error ? error.message : String(error)}`);
    this.#failure.reject(error);
  }

  /** Runs something beside everything else; the run ends after it. */
  spawn(work: () => Promise<void>): void {
    const running = work()
      .catch(error => this.fail(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  note(line: string): void {
    this.trace.push(`${this.clock.nowMs() - 1_767_225_600_000} ${line}`);
  }

  nextSeed(): number {
    return Math.floor(this.random.float() * 0x1_0000_0000);
  }

  /** A pause where the plan's rates want one. */
  async wait(clock: { sleep(ms: number): Promise<void> }): Promise<void> {
    const { delayed = 0, maxDelayMs = 0 } = this.faults;
    if (maxDelayMs > 0 && this.random.float() < delayed) await clock.sleep(this.random.float() * maxDelayMs);
  }

  setFaults(faults: Partial<Faults>): void {
    this.faults = faults;
    for (const store of this.stores) store.faults = { ...NO_FAULTS, ...faults };
    if (this.disk !== null) this.disk.fault = this.#diskFault();
    this.service.failing = faults === NO_FAULTS ? 0 : this.plan.rates.provider;
  }

  /** Starts a process for this node, and again until one comes up. */
  async start(index: number): Promise<SimNode> {
    for (let attempt = 0; attempt < MAX_STARTS; attempt++) {
      const life: Life = new Life(() => this.#died(index, life));
      try {
        const node = await Promise.race([SimNode.open(this, life), life.died]);
        this.nodes[index] = node;
        this.note(`node ${index} is up at ${node.shard.seq}`);
        return node;
      } catch (error) {
        life.die();
        this.#checkStartFailure(error);
        this.note(`node ${index} does not start: ${codeOf(error)}`);
      }
      await this.clock.sleep(RESTART_MS);
    }
    throw new Violation('a node starts in the end', index);
  }

  /** The node an operation means, or another one that is up. */
  pick(index: number): SimNode | null {
    const live = this.nodes.filter(node => node !== null && !node.life.dead);
    const wanted = this.nodes[index % this.nodes.length];
    if (wanted !== null && wanted !== undefined && !wanted.life.dead) return wanted;
    return live.length === 0 ? null : live[index % live.length]!;
  }

  definition(stream: number): StreamDefinition {
    return this.definitions[stream % this.definitions.length];
  }

  #died(index: number, life: Life): void {
    this.note(`node ${index} dies`);
    if (this.nodes[index]?.life === life) this.nodes[index] = null;
    this.#loseDisk(life.withMachine);
  }

  #loseDisk(withMachine: boolean): void {
    if (this.disk === null) return;
    this.disk = withMachine ? this.disk.crash() : this.disk.kill();
    this.disk.fault = this.#diskFault();
  }

  #diskFault(): SimFileSystem['fault'] {
    return () => {
      const { disk } = this.plan.rates;
      if (this.faults === NO_FAULTS || disk === 0 || this.random.float() >= disk) return null;
      return { code: this.random.float() < 0.5 ? 'EIO' : 'ENOSPC', applied: this.random.float() < 0.5 };
    };
  }

  #checkStartFailure(error: unknown): void {
    if (error instanceof ProcessDied) return;
    if (error instanceof Violation) throw error;
    const passing = isTailwaterError(
      error,
      'TW_STORAGE_UNAVAILABLE',
      'TW_OUTCOME_UNKNOWN',
      'TW_STORAGE_FULL',
      'TW_SHARD_STOPPED',
    );
    // It was slow to start, and others collected what it was about to read.
    const overtaken = this.collected && isTailwaterError(error, 'TW_HISTORY_EXPIRED');
    if (!passing && !overtaken && !isDiskFault(error)) throw new Violation('a node starts or says why not', describe(error));
  }
}

function isDiskFault(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EIO' || error.code === 'ENOSPC');
}

export function codeOf(error: unknown): string {
  if (error instanceof TailwaterError) return error.code;
  return error instanceof Error ? error.constructor.name : String(error);
}

export function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` <- ${describe(error.cause)}` : '';
  return `${codeOf(error)} ${error instanceof Error ? error.message : ''}${cause}`;
}
