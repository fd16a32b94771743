import { asTailwaterError, type Clock, isTailwaterError, type Logger, silentLogger } from '../../base/index.ts';
import { deleteVectors, vectorLives, vectorsThrough } from '../../embeddings/index.ts';
import type { Journal, Pins } from '../../journal/index.ts';
import { dropTable, TableCollection, TableStates, type TableStore, tableLives } from '../../lakehouse/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { CatalogView, type LogShard, type StreamDefinition } from '../../streams/index.ts';
import { headsOf, planShard, type ShardPlan } from './collect-log.ts';
import { type Holds, holdsOf, type StateInUse } from './holds.ts';
import { addDeleted, type CollectionReport, emptyReport } from './report.ts';
import { COLLECTION_DEFAULTS, type CollectionSettings } from './settings.ts';

export interface CollectorOptions {
  /** All log shards, over their journals. The collector appends nothing to them. */
  shards: readonly LogShard[];
  /** The journal of the catalog. */
  catalog: Journal;
  store: ObjectStore;
  tables: Pick<TableStore, 'prune' | 'drop' | 'incarnations'>;
  pins: Pins;
  clock: Clock;
  logger?: Logger;
  settings?: Partial<CollectionSettings>;
  /** Files of unfinished writes, where the store has such. */
  temporary?: { list(): Promise<string[]>; sweep(names: readonly string[]): Promise<number> };
  /** The table states that this process reads from at the moment. */
  inUse?: () => Iterable<StateInUse>;
}

export interface CollectOptions {
  /** Report what would go, and change nothing. Default false. */
  dryRun?: boolean;
  /** Also look for garbage that no expiry announces, such as what lost races left. Default false; `dryRun` always does. */
  thorough?: boolean;
  /** Ends the wait for readers; what was marked is deleted by the next run. */
  signal?: AbortSignal;
}

interface Table {
  definition: StreamDefinition;
  states: TableStates;
  collection: TableCollection;
}

/**
 * Deletes what nothing needs any more (J4, J6, J9, C5): log segments whose records are in tables, table states beyond history with what
 * only they name, persisted vectors, what deleted streams left, old catalog entries. A run marks (checkpoint, then floor), waits the grace
 * time, lists the pins, reads again and deletes. Any number of collectors may run side by side and be killed at any moment: floors only
 * rise, and what a run leaves behind the next one finds.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #settings: CollectionSettings;
  readonly #logger: Logger;
  readonly #tables = new Map<string, Table>();
  #catalog: CatalogView | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#settings = { ...COLLECTION_DEFAULTS, ...options.settings };
    this.#logger = options.logger ?? silentLogger;
  }

  /** Runs take turns. What fails is in the report's `problems`; throws only when nothing could be planned, or the signal's reason. */
  run(options: CollectOptions = {}): Promise<CollectionReport> {
    const turn = this.#turn.then(() => this.#run(options));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #run({ dryRun = false, thorough = false, signal }: CollectOptions): Promise<CollectionReport> {
    const report = emptyReport(dryRun);
    const before = await this.#holds();
    // What exists is listed before the catalog is read: data of a stream that was created meanwhile is not mistaken for a dead one's.
    const lives = await this.#lives();
    const unfinished = (await this.#options.temporary?.list()) ?? [];
    const heads = await Promise.all(this.#options.shards.map(headsOf));
    const definitions = await this.#definitions();
    const dead = [...lives].filter(incarnation => !definitions.has(incarnation));
    if (before.unknown > 0) report.problems.push(`${before.unknown} pins are of a newer version: nothing is deleted.`);
    const blocked = dryRun || before.unknown > 0;
    for (const shardHeads of heads) {
      const shard = shardHeads.shard.shard;
      await this.#attempt(report, `log shard ${shard}`, async () => {
        const pinned = before.logs.get(shard) ?? null;
        const statesOf = (incarnation: string) => this.#tables.get(incarnation)!.states;
        const nowMs = this.#options.clock.nowMs();
        const plan = await planShard(shardHeads, definitions, statesOf, this.#settings, nowMs, pinned);
        if (!blocked && plan.floor > plan.from) await plan.shard.markFloor(plan.floor - 1);
        this.#reportLog(report, plan, definitions);
      });
    }
    for (const table of this.#tables.values()) await this.#expire(report, table, before, blocked);
    await this.#attempt(report, 'catalog', () => this.#expireCatalog(report, blocked));
    if (blocked) {
      report.temporaries = unfinished.length;
      await this.#preview(report, before, dead);
      return report;
    }
    await this.#options.clock.sleep(this.#settings.graceMs, signal);
    const holds = await this.#holds();
    if (holds.unknown > 0) return report;
    await this.#sweep(report, holds, dead, thorough);
    // What was unfinished before the wait and still is, nobody will finish.
    await this.#attempt(report, 'temporary files', async () => {
      report.temporaries = (await this.#options.temporary?.sweep(unfinished)) ?? 0;
    });
    return report;
  }

  async #holds(): Promise<Holds> {
    return holdsOf(await this.#options.pins.list(), this.#options.inUse?.() ?? []);
  }

  async #lives(): Promise<Set<string>> {
    const { store, tables } = this.#options;
    const lives = await tableLives(store, tables);
    for await (const incarnation of vectorLives(store)) lives.add(incarnation);
    return lives;
  }

  /** The streams of the catalog, by incarnation, and a table for each. */
  async #definitions(): Promise<Map<string, StreamDefinition>> {
    this.#catalog ??= await CatalogView.open(this.#options.catalog);
    await this.#catalog.refresh();
    const { store, tables } = this.#options;
    const definitions = new Map(this.#catalog.list().map(definition => [definition.incarnation, definition]));
    for (const incarnation of this.#tables.keys()) if (!definitions.has(incarnation)) this.#tables.delete(incarnation);
    for (const [incarnation, definition] of definitions) {
      if (this.#tables.has(incarnation)) continue;
      const states = new TableStates(store, incarnation);
      const collection = new TableCollection({ store, tables, definition, states });
      this.#tables.set(incarnation, { definition, states, collection });
    }
    return definitions;
  }

  #reportLog(report: CollectionReport, plan: ShardPlan, definitions: ReadonlyMap<string, StreamDefinition>): void {
    const { shard, head, from, floor, neededFromSeq, neededBy, heldBy } = plan;
    const name = neededBy === null ? null : (definitions.get(neededBy)?.name ?? null);
    report.log.push({ shard: shard.shard, head, floor, segments: floor - from, neededFromSeq, neededBy: name, heldBy });
  }

  async #expire(report: CollectionReport, table: Table, holds: Holds, blocked: boolean): Promise<void> {
    await this.#attempt(report, `table of ${table.definition.name}`, async () => {
      const pinned = holds.states.get(table.definition.incarnation);
      const pinnedFrom = pinned === undefined ? null : Math.min(...pinned);
      const plan = await table.collection.plan(this.#options.clock.nowMs(), this.#settings.historySlack, pinnedFrom);
      if (!blocked) await table.collection.mark(plan);
      report.states += plan.expired;
    });
  }

  async #expireCatalog(report: CollectionReport, blocked: boolean): Promise<void> {
    const entries = await this.#catalog!.entriesAboveFloor();
    if (entries < this.#settings.catalogEntries) return;
    report.catalogEntries = blocked ? entries : await this.#catalog!.raiseFloor();
  }

  /** What a run would find to delete, besides what it would give up. */
  async #preview(report: CollectionReport, holds: Holds, dead: readonly string[]): Promise<void> {
    report.pins.active = holds.pins;
    report.dropped.streams = dead.filter(incarnation => !holds.states.has(incarnation)).length;
    const floor = Math.min(...report.log.map(log => log.floor));
    for (const { definition, collection } of this.#tables.values()) {
      await this.#attempt(report, `table of ${definition.name}`, async () => {
        const pinned = holds.states.get(definition.incarnation) ?? [];
        for (const object of await collection.orphans(pinned)) addDeleted(report.statistics, { objects: 1, bytes: object.size });
        const through = await collection.vectorsThroughSegment(pinned, floor);
        const vectors = through === 0 ? [] : await vectorsThrough(this.#options.store, definition.incarnation, through);
        for (const object of vectors) addDeleted(report.vectors, { objects: 1, bytes: object.size });
      });
    }
  }

  async #sweep(report: CollectionReport, holds: Holds, dead: readonly string[], thorough: boolean): Promise<void> {
    report.pins.active = holds.pins;
    for (const shard of this.#options.shards)
      await this.#attempt(report, `log shard ${shard.shard}`, () => sweepLog(shard, holds));
    for (const table of this.#tables.values()) {
      await this.#attempt(report, `table of ${table.definition.name}`, () => this.#sweepTable(report, table, holds, thorough));
    }
    for (const incarnation of dead) {
      if (!holds.states.has(incarnation)) await this.#attempt(report, incarnation, () => this.#drop(report, incarnation));
    }
    await this.#attempt(report, 'catalog', () => this.#catalog!.collect());
    await this.#attempt(report, 'pins', async () => {
      report.pins.removed = await this.#options.pins.removeExpired(this.#settings.graceMs);
    });
  }

  async #sweepTable(report: CollectionReport, table: Table, holds: Holds, thorough: boolean): Promise<void> {
    const { definition, collection } = table;
    const pinned = holds.states.get(definition.incarnation) ?? [];
    addDeleted(report.statistics, await collection.sweep(pinned, thorough));
    if (definition.embed === null) return;
    const floors = await Promise.all(this.#options.shards.map(shard => shard.floor()));
    const through = await collection.vectorsThroughSegment(pinned, Math.min(...floors));
    if (through > 0) addDeleted(report.vectors, await deleteVectors(this.#options.store, definition.incarnation, through));
  }

  async #drop(report: CollectionReport, incarnation: string): Promise<void> {
    const { store, tables } = this.#options;
    report.dropped.streams++;
    addDeleted(report.dropped, await dropTable(store, tables, incarnation));
    addDeleted(report.dropped, await deleteVectors(store, incarnation, Number.POSITIVE_INFINITY));
  }

  /** One part that fails does not keep the others from being collected. */
  async #attempt(report: CollectionReport, part: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { code, message } = asTailwaterError(error);
      report.problems.push(`${part}: ${code}: ${message}`);
      if (!isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')) this.#logger.warn({ part, code, reason: message }, 'Not collected');
    }
  }
}

/** Segments that a pin names stay, also when it came while the floor was raised. */
async function sweepLog(shard: LogShard, holds: Holds): Promise<void> {
  const pinned = holds.logs.get(shard.shard);
  if (pinned !== undefined && pinned < (await shard.floor())) return;
  await shard.collect();
}
