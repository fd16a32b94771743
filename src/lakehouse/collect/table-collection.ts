import { type ListedObject, listAll, type ObjectStore } from '../../storage/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { TableStates } from '../states/table-states.ts';
import { statisticsPrefix } from '../statistics/stacking.ts';
import type { OtherFile, TableStore } from '../table-store.ts';
import type { TableState } from '../table-types.ts';
import { TableTags } from '../tags/table-tags.ts';
import type { TableTag } from '../tags/tag-codec.ts';
import { expiryDue, isStatisticsGarbage, type TableNeeds, tableNeeds, vectorsThroughSegment } from './plan-table.ts';
import type { StateFiles } from './state-pins.ts';

export interface TableCollectionOptions {
  store: ObjectStore;
  tables: Pick<TableStore, 'prune' | 'otherFiles' | 'removeOthers'>;
  definition: StreamDefinition;
  states: TableStates;
}

export interface ExpiryPlan {
  /** The oldest state to keep; null: nothing to give up. */
  oldest: TableState | null;
  /** States given up. */
  expired: number;
}

/** What stays although it is old. */
export interface PinnedStates {
  /** Of states that are in the journal, unless it was collected in spite of them. */
  numbers: readonly number[];
  /** Of states that are in no journal any more. */
  files: readonly StateFiles[];
}

/** What was deleted. */
export interface Deleted {
  objects: number;
  bytes: number;
}

/** What other engines left in the folders of a table. */
export interface OtherFiles {
  /** Older than the time that a commit may take: of none that is still to come. */
  orphans: OtherFile[];
  /** Of a commit that may be under way. */
  recent: OtherFile[];
}

/**
 * Gives up what of one table is older than its history, in the steps of J9: plan, mark, (the caller waits and lists the pins,) sweep.
 * Every step may be repeated, by anyone, and be cut off at any moment: state entries go last, so that those that are left say that the rest
 * may not be done.
 */
export class TableCollection {
  readonly #options: TableCollectionOptions;
  readonly #tags: TableTags;
  /** Nothing was left to sweep when this was the floor, and these the tags. */
  #sweptFloor = 0;
  #sweptTags: string | null = null;
  /** Those that were there when the run began. */
  #tagsBefore: TableTag[] = [];

  constructor(options: TableCollectionOptions) {
    this.#options = options;
    this.#tags = new TableTags(options.store, options.definition.incarnation);
  }

  /** `slack`: states go when they are older than history by this share of it. States from `pinnedFrom` on stay. */
  async plan(nowMs: number, slack: number, pinnedFrom: number | null): Promise<ExpiryPlan> {
    const { definition, states } = this.#options;
    const { historyMs } = definition;
    this.#tagsBefore = await this.#tags.list();
    if (historyMs === null) return { oldest: null, expired: 0 };
    const floor = await states.floor();
    if (!expiryDue(await states.read(floor + 1), historyMs, slack, nowMs)) return { oldest: null, expired: 0 };
    const needed = await states.oldestNeeded(nowMs - historyMs);
    const oldest = needed !== null && pinnedFrom !== null && pinnedFrom < needed.n ? await states.read(pinnedFrom) : needed;
    return oldest === null || oldest.n <= floor ? { oldest: null, expired: 0 } : { oldest, expired: oldest.n - floor };
  }

  async mark(plan: ExpiryPlan): Promise<void> {
    if (plan.oldest !== null) await this.#options.states.raiseFloor(plan.oldest);
  }

  /**
   * Deletes what neither a kept state, nor one of `pinned`, nor a tag needs: versions, statistics, then the entries of the states
   * themselves. Does nothing when neither states nor tags were given up since the last time, unless `thorough`. The pins were listed
   * before: a tag that is not durable yet has one. A tag counts until the run after its end: whoever saw it, has a pin by then.
   */
  async sweep(pinned: PinnedStates, thorough: boolean): Promise<Deleted> {
    const { definition, states, tables } = this.#options;
    const floor = await states.floor();
    const names = new Set([...(await this.#tags.names()), ...this.#tagsBefore.map(tag => tag.name)]);
    const tags = [...names].sort().join('\n');
    const untagged = this.#sweptTags !== null && tags !== this.#sweptTags;
    const pending = untagged || (floor !== this.#sweptFloor && (await states.hasGarbage()));
    const needs = pending || thorough ? await this.#needs(pinned) : null;
    this.#sweptTags ??= tags;
    if (needs === null) return { objects: 0, bytes: 0 };
    if (pending || thorough) await tables.prune(definition, needs.versions);
    const deleted = await this.#sweepStatistics(needs);
    if (pinned.files.length > 0 || pinned.numbers.some(n => n < floor)) return deleted;
    if (pending) await states.collect();
    this.#sweptFloor = floor;
    this.#sweptTags = tags;
    return deleted;
  }

  /** The statistics objects that a thorough `sweep` would delete now. */
  async orphans(pinned: PinnedStates): Promise<ListedObject[]> {
    const needs = await this.#needs(pinned);
    return needs === null ? [] : this.#statisticsGarbage(needs);
  }

  /** `writtenBeforeMs`: what was written later may be of a commit that is under way. */
  async others(pinned: PinnedStates, writtenBeforeMs: number): Promise<OtherFiles> {
    const { tables, definition } = this.#options;
    const needs = tables.otherFiles === undefined ? null : await this.#needs(pinned);
    const found = needs === null ? [] : await tables.otherFiles!(definition, needs.versions);
    const isOrphan = ({ modifiedAtMs }: OtherFile): boolean => modifiedAtMs !== null && modifiedAtMs < writtenBeforeMs;
    return { orphans: found.filter(isOrphan), recent: found.filter(file => !isOrphan(file)) };
  }

  /** Deletes what other engines wrote before that time and no version names. */
  async sweepOthers(pinned: PinnedStates, writtenBeforeMs: number): Promise<Deleted> {
    const { orphans } = await this.others(pinned, writtenBeforeMs);
    const names = orphans.map(({ name }) => name);
    if (names.length > 0) await this.#options.tables.removeOthers!(this.#options.definition, names);
    return { objects: names.length, bytes: orphans.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** Up to which segment the stream's persisted vectors may go; 0: none. */
  async vectorsThroughSegment(pinned: readonly number[], logFloor: number): Promise<number> {
    const { states } = this.#options;
    const newest = await states.latest();
    const oldest = await states.read(Math.min(await states.floor(), ...pinned));
    return newest === null || oldest === null ? 0 : vectorsThroughSegment(oldest, newest, logFloor);
  }

  /** Null when there is no table. */
  async #needs(pinned: PinnedStates): Promise<TableNeeds | null> {
    const { states } = this.#options;
    const kept: TableState[] = [];
    for await (const state of states.kept()) kept.push(state);
    if (kept.length === 0) return null;
    const held = (await Promise.all(pinned.numbers.map(n => states.read(n)))).filter(state => state !== null);
    const tagged = [...this.#tagsBefore, ...(await this.#tags.list())].map(tag => tag.state);
    return tableNeeds(kept, [...held, ...pinned.files, ...tagged]);
  }

  async #sweepStatistics(needs: TableNeeds): Promise<Deleted> {
    const garbage = await this.#statisticsGarbage(needs);
    if (garbage.length > 0) await this.#options.store.delete(garbage.map(object => object.key));
    return { objects: garbage.length, bytes: garbage.reduce((sum, object) => sum + object.size, 0) };
  }

  async #statisticsGarbage(needs: TableNeeds): Promise<ListedObject[]> {
    const garbage: ListedObject[] = [];
    for await (const object of listAll(this.#options.store, statisticsPrefix(this.#options.definition.incarnation))) {
      if (isStatisticsGarbage(object.key, needs)) garbage.push(object);
    }
    return garbage;
  }
}
