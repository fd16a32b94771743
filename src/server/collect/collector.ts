import { isDeepStrictEqual } from 'node:util';
import { asTailwaterError, type Clock, isTailwaterError, type Logger, silentLogger } from '../../base/index.ts';
import { deleteVectors, vectorLives, vectorsThrough } from '../../embeddings/index.ts';
import type { Journal, Pins } from '../../journal/index.ts';
import { type Deleted, dropTable, TableCollection, TableStates, type TableStore, tableLives } from '../../lakehouse/index.ts';
import type { ListedObject, ObjectStore } from '../../storage/index.ts';
import { CatalogView, type LogShard, type StreamDefinition } from '../../streams/index.ts';
import { headsOf, planShard, type ShardHeads, type ShardPlan } from './collect-log.ts';
import { type Holds, heldStates, holdsOf, type StateInUse } from './holds.ts';
import { addDeleted, type CollectionReport, emptyReport, type LogCollectionReport } from './report.ts';
import { COLLECTION_DEFAULTS, type CollectionSettings } from './settings.ts';

export interface CollectorOptions {
  /** All log shards, over their journals. The collector appends nothing to them. */
  shards: readonly LogShard[];
  /** The journal of the catalog. */
  catalog: Journal;
  store: ObjectStore;
  tables: Pick<TableStore, 'prune' | 'drop' | 'incarnations' | 'otherFiles' | 'removeOthers'>;
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
  /** Nothing is given up for its age: only what nothing names any more is deleted. Implies `thorough`. Default false. */
  orphansOnly?: boolean;
  /** Ends the wait for readers; what was marked is deleted by the next run. */
  signal?: AbortSignal;
}

interface Survey {
  holds: Holds;
  heads: ShardHeads[];
  definitions: Map<string, StreamDefinition>;
  /** Stream lives that left something and are in neither catalog nor log: they do not come back. */
  dead: string[];
  /** Temporary files. */
  unfinished: string[];
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

  async #run({ dryRun = false, orphansOnly = false, thorough = orphansOnly, signal }: CollectOptions): Promise<CollectionReport> {
    const report = emptyReport(dryRun);
    const survey = await this.#survey();
    const { unknown } = survey.holds;
    if (unknown > 0) report.problems.push(`${unknown} pins are of a newer version: nothing is deleted.`);
    const mayDelete = !dryRun && unknown === 0;
    if (!orphansOnly) await this.#giveUp(report, survey, mayDelete);
    if (!mayDelete) {
      await this.#preview(report, survey);
      return report;
    }
    await this.#options.clock.sleep(this.#settings.graceMs, signal);
    const holds = await this.#holds();
    if (holds.unknown === 0) await this.#sweep(report, { ...survey, holds }, thorough);
    return report;
  }

  /** What exists is listed before the catalog is read: data of a stream that was created meanwhile is not mistaken for a dead one's. */
  async #survey(): Promise<Survey> {
    const holds = await this.#holds();
    const lives = await this.#lives();
    const unfinished = (await this.#options.temporary?.list()) ?? [];
    const heads = await Promise.all(this.#options.shards.map(headsOf));
    const definitions = await this.#definitions();
    // Deleting a stream ends with its log: one that lives there is not dead, whatever happened to the catalog.
    const logged = new Set(heads.flatMap(({ nextOffsets }) => [...nextOffsets.keys()]));
    const dead = [...lives].filter(incarnation => !definitions.has(incarnation) && !logged.has(incarnation));
    return { holds, heads, definitions, dead, unfinished };
  }

  /** Plans what is too old to keep and, when `mark` is true, makes the floors durable. Deletes nothing. */
  async #giveUp(report: CollectionReport, { holds, heads, definitions }: Survey, mark: boolean): Promise<void> {
    for (const shard of heads) {
      await this.#attempt(report, `log shard ${shard.shard.shard}`, [...definitions.keys()], async () => {
        const plan = await this.#planLog(shard, definitions, holds);
        if (mark && plan.floor > plan.from) await plan.shard.markFloor(plan.floor - 1);
        report.log.push(logReport(plan, definitions));
      });
    }
    for (const table of this.#tables.values()) {
      await this.#attemptTable(report, table, () => this.#expire(report, table, holds, mark));
    }
    await this.#attempt(report, 'catalog', [], () => this.#expireCatalog(report, mark));
  }

  #planLog(heads: ShardHeads, definitions: ReadonlyMap<string, StreamDefinition>, holds: Holds): Promise<ShardPlan> {
    const statesOf = (incarnation: string): TableStates => this.#tables.get(incarnation)!.states;
    const pinnedFrom = holds.logs.get(heads.shard.shard) ?? null;
    return planShard(heads, definitions, statesOf, this.#settings, this.#options.clock.nowMs(), pinnedFrom);
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
      if (isDeepStrictEqual(this.#tables.get(incarnation)?.definition, definition)) continue;
      const states = new TableStates(store, incarnation);
      const collection = new TableCollection({ store, tables, definition, states });
      this.#tables.set(incarnation, { definition, states, collection });
    }
    return definitions;
  }

  async #expire(report: CollectionReport, table: Table, holds: Holds, mark: boolean): Promise<void> {
    const { numbers } = heldStates(holds, table.definition.incarnation);
    const pinnedFrom = numbers.length === 0 ? null : Math.min(...numbers);
    const plan = await table.collection.plan(this.#options.clock.nowMs(), this.#settings.historySlack, pinnedFrom);
    if (mark) await table.collection.mark(plan);
    report.states += plan.expired;
  }

  async #expireCatalog(report: CollectionReport, mark: boolean): Promise<void> {
    const entries = await this.#catalog!.entriesAboveFloor();
    if (entries < this.#settings.catalogEntries) return;
    report.catalogEntries = mark ? await this.#catalog!.raiseFloor() : entries;
  }

  /** What a run would find to delete, besides what it would give up. */
  async #preview(report: CollectionReport, { holds, dead, unfinished }: Survey): Promise<void> {
    report.pins.active = holds.pins;
    report.temporaries = unfinished.length;
    const { store } = this.#options;
    for (const incarnation of dead.filter(life => !holds.states.has(life))) {
      report.dropped.streams++;
      report.orphans.push(`all of stream life ${incarnation}`);
    }
    const floor = Math.min(...report.log.map(log => log.floor), ...(await this.#floors()));
    for (const table of this.#tables.values()) {
      const { definition, collection } = table;
      await this.#attemptTable(report, table, async () => {
        const pinned = heldStates(holds, definition.incarnation);
        noteOrphans(report, report.statistics, await collection.orphans(pinned));
        const { orphans, recent } = await collection.others(pinned, this.#othersBeforeMs());
        noteOrphans(
          report,
          report.others,
          orphans.map(({ name, bytes }) => ({ key: `file of another engine ${name}`, size: bytes })),
        );
        report.others.recent.push(...recent.map(({ name }) => name));
        const through = await collection.vectorsThroughSegment(pinned.numbers, floor);
        if (through > 0) noteOrphans(report, report.vectors, await vectorsThrough(store, definition.incarnation, through));
      });
    }
    report.orphans.push(...unfinished.map(name => `temporary file ${name}`));
  }

  #othersBeforeMs(): number {
    return this.#options.clock.nowMs() - this.#settings.otherEnginesGraceMs;
  }

  #floors(): Promise<number[]> {
    return Promise.all(this.#options.shards.map(shard => shard.floor()));
  }

  async #sweep(report: CollectionReport, { holds, dead, unfinished }: Survey, thorough: boolean): Promise<void> {
    report.pins.active = holds.pins;
    const { pins, shards, temporary } = this.#options;
    for (const shard of shards) await this.#attempt(report, `log shard ${shard.shard}`, [], () => sweepLog(shard, holds));
    for (const table of this.#tables.values()) {
      await this.#attemptTable(report, table, () => this.#sweepTable(report, table, holds, thorough));
    }
    for (const incarnation of dead.filter(life => !holds.states.has(life))) {
      await this.#attempt(report, incarnation, [], () => this.#drop(report, incarnation));
    }
    await this.#attempt(report, 'catalog', [], () => this.#catalog!.collect());
    await this.#attempt(report, 'pins', [], async () => {
      report.pins.removed = await pins.removeExpired(this.#settings.graceMs);
    });
    // What was unfinished before the wait and still is, nobody will finish.
    await this.#attempt(report, 'temporary files', [], async () => {
      report.temporaries = (await temporary?.sweep(unfinished)) ?? 0;
    });
  }

  async #sweepTable(report: CollectionReport, table: Table, holds: Holds, thorough: boolean): Promise<void> {
    const { definition, collection } = table;
    const pinned = heldStates(holds, definition.incarnation);
    addDeleted(report.statistics, await collection.sweep(pinned, thorough));
    if (thorough) addDeleted(report.others, await collection.sweepOthers(pinned, this.#othersBeforeMs()));
    if (definition.embed === null) return;
    const through = await collection.vectorsThroughSegment(pinned.numbers, Math.min(...(await this.#floors())));
    if (through > 0) addDeleted(report.vectors, await deleteVectors(this.#options.store, definition.incarnation, through));
  }

  async #drop(report: CollectionReport, incarnation: string): Promise<void> {
    const { store, tables } = this.#options;
    report.dropped.streams++;
    addDeleted(report.dropped, await dropTable(store, tables, incarnation));
    addDeleted(report.dropped, await deleteVectors(store, incarnation, Number.POSITIVE_INFINITY));
  }

  #attemptTable(report: CollectionReport, { definition }: Table, work: () => Promise<void>): Promise<void> {
    return this.#attempt(report, `table of ${definition.name}`, [definition.incarnation], work);
  }

  /** One part that fails does not keep the others from being collected. Where a stream was deleted meanwhile, that it is gone is no problem. */
  async #attempt(
    report: CollectionReport,
    part: string,
    incarnations: readonly string[],
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (incarnations.length > 0 && (await this.#isOneDeleted(incarnations))) return;
      const { code, message } = asTailwaterError(error);
      report.problems.push(`${part}: ${code}: ${message}`);
      if (!isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')) this.#logger.warn({ part, code, reason: message }, 'Not collected');
    }
  }

  /** False also when that cannot be known. */
  async #isOneDeleted(incarnations: readonly string[]): Promise<boolean> {
    const catalog = this.#catalog!;
    const known = await catalog.refresh().then(
      () => true,
      () => false,
    );
    return known && incarnations.some(incarnation => !catalog.has(incarnation));
  }
}

function logReport(plan: ShardPlan, definitions: ReadonlyMap<string, StreamDefinition>): LogCollectionReport {
  const { shard, head, from, floor, neededFromSeq, neededBy, heldBy } = plan;
  const name = neededBy === null ? null : (definitions.get(neededBy)?.name ?? null);
  return { shard: shard.shard, head, floor, segments: floor - from, neededFromSeq, neededBy: name, heldBy };
}

function noteOrphans(report: CollectionReport, sum: Deleted, objects: readonly ListedObject[]): void {
  for (const { key, size } of objects) {
    addDeleted(sum, { objects: 1, bytes: size });
    report.orphans.push(key);
  }
}

/** Segments that a pin names stay, also when it came while the floor was raised. */
async function sweepLog(shard: LogShard, holds: Holds): Promise<void> {
  const pinned = holds.logs.get(shard.shard);
  if (pinned !== undefined && pinned < (await shard.floor())) return;
  await shard.collect();
}
