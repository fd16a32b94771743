import { isTailwaterError, type JsonValue, TailwaterError } from '../../base/index.ts';
import { freshnessOf, headsOf, type Pinned, tokenOf } from '../../snapshot/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import { versionOf } from '../definition/canonical.ts';
import { checkViewName, parseDefinition } from '../definition/parse.ts';
import type { FeatureViewDefinition } from '../definition/types.ts';
import { evaluateView, type FeatureAnswer } from '../evaluate.ts';
import { requireFree, type SpineRow, spineOf } from '../historical/spine.ts';
import { type FeatureRow, sweepOf } from '../historical/sweep.ts';
import { planView, type ViewPlan } from '../plan.ts';
import type { FeatureEvent } from '../state/view-state.ts';
import { changesBetween, changesServedValues } from './changes.ts';
import { checkChange, checkInstants, checkSource, requireSameLife } from './check-source.ts';
import type {
  HistoricalAnswer,
  HistoricalOptions,
  HistoricalRequest,
  OnlineAnswer,
  OnlineRequest,
  PinnedView,
  ServiceAnswer,
  ServiceRequest,
  ViewInfo,
  ViewPlanAnswer,
} from './engine-types.ts';
import { checkOnlineRequest, instantOf, onlineEntities, withoutAsOf } from './online-request.ts';
import { readNext } from './read-source.ts';
import { sampleDifferences } from './sample.ts';
import { type Served, ServedViews, type ServedViewsOptions } from './served-views.ts';
import { holdAll, type Reach, type ViewReading } from './view-reading.ts';

export type FeatureEngineOptions = ServedViewsOptions;

const DEADLINE_MS = 10_000;

/** What training rows of a view are made from. */
interface RowSource {
  name: string;
  plan: ViewPlan;
  source: StreamDefinition;
  /** Undefined: all that is known. */
  heads: readonly number[] | undefined;
  tag?: string | undefined;
}

interface SweepOptions {
  asSeen: boolean;
  observe?: ((event: FeatureEvent) => void) | undefined;
  proven?: boolean | undefined;
}

/** The feature views of a node: defined, built, followed, served online and as training rows. */
export class FeatureEngine {
  readonly #options: FeatureEngineOptions;
  readonly #views: ServedViews;

  private constructor(options: FeatureEngineOptions, views: ServedViews) {
    this.#options = options;
    this.#views = views;
  }

  /** Every stored view is restored and follows its stream from here on. */
  static async open(options: FeatureEngineOptions): Promise<FeatureEngine> {
    return new FeatureEngine(options, await ServedViews.open(options));
  }

  /** Takes over what other nodes defined, changed and removed. */
  look(): Promise<void> {
    return this.#views.look();
  }

  /** Looks first where one of these is not known: another node may have just defined it. */
  lookFor(names: readonly string[]): Promise<void> {
    return this.#views.lookFor(names);
  }

  list(): ViewInfo[] {
    return [...this.#views.all()].map(infoOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): ViewInfo {
    return infoOf(this.#views.require(name));
  }

  /**
   * Defines a view, or changes it: the version before serves until the new one has caught up. Throws TW_VIEW_DEFINITION, TW_STREAM_NOT_FOUND, and
   * TW_VIEW_CHANGED when served values would change and `replaces` is not the version that is served.
   */
  apply(name: string, definition: JsonValue, options: { replaces?: string } = {}): Promise<ViewInfo> {
    return this.#views.inTurn(async () => {
      checkViewName(name);
      const checked = parseDefinition(definition);
      const source = await this.#source(checked.source);
      checkSource(planView(checked), source);
      await this.#views.apply(name, checked, source, options.replaces);
      return this.get(name);
    });
  }

  /** What applying a definition would do; nothing is changed. Throws as `apply` does, but for TW_VIEW_CHANGED. */
  async plan(name: string, definition: JsonValue, options: { sampleEntities?: number } = {}): Promise<ViewPlanAnswer> {
    checkViewName(name);
    const next = parseDefinition(definition);
    const source = await this.#source(next.source);
    checkSource(planView(next), source);
    const known = this.#views.get(name);
    const before = known?.stored.current.definition ?? null;
    const changes = changesBetween(before, next);
    const rebuilds = before === null || versionOf(before) !== versionOf(next);
    const pinned = await this.#pin(source, {});
    const sampled =
      known === undefined || !rebuilds
        ? { differences: [], sampledEntities: 0 }
        : await sampleDifferences(known.live, planView(next), pinned, options.sampleEntities ?? 20, this.#options.clock);
    return {
      name,
      current: known?.stored.current.version ?? null,
      next: versionOf(next),
      changes,
      altersServedValues: changesServedValues(changes),
      rebuilds,
      recordsToRead: rebuilds ? headsOf(pinned).reduce((sum, head) => sum + head + 1, 0) : 0,
      bytesToRead: rebuilds ? this.#bytesOf(source, pinned) : 0,
      ...sampled,
    };
  }

  /**
   * Runs a change of a stream while no view changes. It asks `check` about the stream as it would be, which throws TW_VIEW_DEFINITION when a
   * view needs more than that would keep.
   */
  changingSource<T>(change: (check: (after: StreamDefinition) => void) => Promise<T>): Promise<T> {
    return this.#views.inTurn(() =>
      change(after => {
        for (const { stored, live } of this.#views.all()) {
          if (live.source.incarnation === after.incarnation) checkChange(stored.name, planView(stored.current.definition), after);
        }
      }),
    );
  }

  #bytesOf(source: StreamDefinition, { table }: Pinned): number | null {
    const tableBytes = table === null ? 0 : table.state.bytes;
    return tableBytes === undefined ? null : tableBytes + this.#options.streams.require(source).tail.bytes;
  }

  /** Throws TW_VIEW_NOT_FOUND. */
  remove(name: string): Promise<void> {
    return this.#views.inTurn(() => this.#views.remove(name));
  }

  /** Throws TW_VIEW_NOT_FOUND, TW_BAD_REQUEST, TW_NOT_YET_VISIBLE, and TW_HISTORY_EXPIRED for an instant before the view's history. */
  async online(name: string, request: OnlineRequest): Promise<OnlineAnswer> {
    const { live } = this.#views.require(name);
    const { clock } = this.#options;
    const { plan } = live;
    checkOnlineRequest(plan, request);
    const deadlineAtMs = clock.nowMs() + (request.deadlineMs ?? DEADLINE_MS);
    return live.at(withoutAsOf(request.consistency), deadlineAtMs, (state, pinned) => {
      const nowMs = clock.nowMs();
      const atMs = instantOf(name, request.asOf, Math.max(nowMs, pinned.throughTimeMs), state.sinceMs);
      return {
        view: name,
        version: plan.version,
        asOf: new Date(atMs).toISOString(),
        entities: onlineEntities(plan, state, atMs, request),
        freshness: freshnessOf(pinned, nowMs),
        token: tokenOf(pinned),
      };
    });
  }

  /** Several views at one instant: now, unless `asOf` says another. Throws as `online` does, for the first view that fails. */
  async service({ views, ...request }: ServiceRequest): Promise<ServiceAnswer> {
    if (!Array.isArray(views) || views.length === 0) {
      throw new TailwaterError('TW_BAD_REQUEST', { detail: 'views must name at least one view.' });
    }
    const asOf = request.asOf ?? new Date(this.#options.clock.nowMs()).toISOString();
    const asked = views.map(view => (typeof view === 'string' ? { view } : view));
    const answers = asked.map(({ view, ...own }) => this.online(view, { ...request, ...own, asOf }));
    return { asOf, views: await Promise.all(answers) };
  }

  /** What reading this view takes, checked before anything is read. Throws TW_VIEW_NOT_FOUND, TW_BAD_REQUEST. */
  reading(name: string, request: OnlineRequest): ViewReading {
    const { live } = this.#views.require(name);
    checkOnlineRequest(live.plan, request);
    return { name, live, request };
  }

  /** Calls `work` while none of these views moves: whatever it pins, their states are not beyond it. */
  holding<T>(readings: readonly ViewReading[], work: (reach: Reach) => Promise<T>): Promise<T> {
    const lives = new Map([...readings].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ live }) => [live, null]));
    return holdAll([...lives.keys()], new Map(), work);
  }

  /** Point-in-time correct rows for training. Throws TW_SPINE, TW_VIEW_NOT_FOUND, TW_NOT_YET_VISIBLE, TW_HISTORY_EXPIRED. */
  async historical(request: HistoricalRequest, options: HistoricalOptions = {}): Promise<HistoricalAnswer> {
    const views = options.pinned?.map(view => this.#fixedView(view)) ?? request.views.map(name => this.#servedView(name));
    if (views.length === 0) throw new TailwaterError('TW_BAD_REQUEST', { detail: 'views must name at least one view.' });
    const spines = views.map(({ plan }) => spineOf(plan.entity, request.time ?? 'time', request.rows));
    const column = (view: string, feature: string): string => (views.length === 1 ? feature : `${view}.${feature}`);
    requireFree(
      views.flatMap(({ name, plan }) => plan.names.map(feature => column(name, feature))),
      request.rows,
    );
    const rows = request.rows.map(row => ({ ...row }));
    const answer: HistoricalAnswer = { rows, views: [] };
    for (const [index, view] of views.entries()) {
      const { name, plan, source } = view;
      const pinned = (await this.#pinTag(view)) ?? (await this.#pin(source, request));
      const observe = options.observe && ((event: FeatureEvent) => options.observe!(name, event));
      const swept = await this.#sweep(view, pinned, spines[index], {
        asSeen: request.asSeen ?? false,
        observe,
        proven: options.proven,
      });
      for (const [at, answers] of swept.entries()) {
        for (const [feature, value] of Object.entries(answers)) rows[at][column(name, feature)] = value;
      }
      answer.views.push({
        view: name,
        version: plan.version,
        token: tokenOf(pinned),
        freshness: freshnessOf(pinned, this.#options.clock.nowMs()),
      });
    }
    return answer;
  }

  /** Values of entities at instants by a definition, by the index of the spine's rows. `heads`: from the records up to there. */
  async replay(
    view: { definition: FeatureViewDefinition; incarnation?: string; heads?: readonly number[] },
    spine: readonly SpineRow[],
    asSeen: boolean,
  ): Promise<FeatureRow[]> {
    const source = this.#options.catalog.require(view.definition.source);
    if (view.incarnation !== undefined) requireSameLife(source, view.incarnation);
    const plan = planView(view.definition);
    return this.#sweep({ plan, source, heads: view.heads }, await this.#pin(source, {}), spine, { asSeen });
  }

  /** Every record of a stream up to now, in log order. */
  async eachEvent(stream: string, take: (event: FeatureEvent) => void): Promise<void> {
    await this.#readAll(await this.#pin(this.#options.catalog.require(stream), {}), take);
  }

  /** Undefined for a version that is no longer kept. */
  definitionOf(name: string, version: string): FeatureViewDefinition | undefined {
    const { stored } = this.#views.require(name);
    return [stored.current, ...stored.past].find(known => known.version === version)?.definition;
  }

  /** Values of up to `limit` entities of a view, now. */
  async sample(name: string, limit: number): Promise<{ atMs: number; entities: Map<string, Record<string, FeatureAnswer>> }> {
    const { live } = this.#views.require(name);
    const { clock } = this.#options;
    return live.at(undefined, clock.nowMs() + DEADLINE_MS, (state, pinned) => {
      const atMs = Math.max(clock.nowMs(), pinned.throughTimeMs);
      const names = [...state.entities()].slice(0, limit).map(([entity]) => entity);
      return { atMs, entities: new Map(names.map(entity => [entity, evaluateView(live.plan, state.entity(entity), atMs)])) };
    });
  }

  async #sweep(
    { plan, source, heads }: Pick<RowSource, 'plan' | 'source' | 'heads'>,
    pinned: Pinned,
    spine: readonly SpineRow[],
    { asSeen, observe, proven = false }: SweepOptions,
  ): Promise<FeatureRow[]> {
    const sweep = sweepOf(plan, spine, { upsert: source.kind === 'upsert', asSeen });
    const take = (event: FeatureEvent): void => {
      observe?.(event);
      sweep.apply(event);
    };
    const gaps = await this.#readAll(pinned, observe === undefined ? event => sweep.apply(event) : take, heads);
    if (!proven) {
      checkInstants(
        source,
        spine.map(row => row.timeMs),
        gaps,
        pinned.throughTimeMs,
      );
    }
    return sweep.finish();
  }

  #servedView(name: string): RowSource {
    const { plan, source } = this.#views.require(name).live;
    return { name, plan, source, heads: undefined };
  }

  #fixedView({ view, definition, incarnation, heads, tag }: PinnedView): RowSource {
    this.#views.requireOpen();
    const source = this.#options.catalog.require(definition.source);
    requireSameLife(source, incarnation);
    return { name: view, plan: planView(definition), source, heads, tag };
  }

  /** True when records are missing that are no longer kept. */
  async #readAll(pinned: Pinned, take: (event: FeatureEvent) => void, heads?: readonly number[]): Promise<boolean> {
    const next: number[] = [];
    let gaps = false;
    const onGap = (): void => {
      gaps = true;
    };
    const read = () => readNext(pinned, next, onGap, heads);
    for (let events = await read(); events.length > 0; events = await read()) {
      for (const event of events) take(event);
      await this.#options.clock.turn();
    }
    return gaps;
  }

  /** The state of every view is put away with its position, so that the next start reads only what came since. */
  close(): Promise<void> {
    return this.#views.close();
  }

  stats(): { view: string; stats: Record<string, number> }[] {
    return [...this.#views.all()].map(({ stored, live }) => ({ view: stored.name, stats: live.stats }));
  }

  /** Throws TW_STREAM_NOT_FOUND. */
  async #source(name: string): Promise<StreamDefinition> {
    return (await this.#views.sourceOf(name)) ?? this.#options.catalog.require(name);
  }

  /** Null without a tag, or when someone deleted it. */
  async #pinTag({ source, tag }: RowSource): Promise<Pinned | null> {
    const { pinner, clock } = this.#options;
    if (tag === undefined) return null;
    return pinner.pin(source, { asOf: { tag } }, clock.nowMs() + DEADLINE_MS).catch(error => {
      if (isTailwaterError(error, 'TW_TAG_NOT_FOUND')) return null;
      throw error;
    });
  }

  #pin(
    source: StreamDefinition,
    { consistency, deadlineMs = DEADLINE_MS }: Pick<HistoricalRequest, 'consistency' | 'deadlineMs'>,
  ): Promise<Pinned> {
    return this.#options.pinner.pin(source, withoutAsOf(consistency), this.#options.clock.nowMs() + deadlineMs);
  }
}

function infoOf({ stored, live, building }: Served): ViewInfo {
  const serving = [stored.current, ...stored.past].find(({ version }) => version === live.plan.version) ?? stored.current;
  return {
    name: stored.name,
    version: serving.version,
    definition: serving.definition,
    appliedAt: new Date(serving.appliedAtMs).toISOString(),
    past: stored.past.map(({ version, appliedAtMs }) => ({ version, appliedAt: new Date(appliedAtMs).toISOString() })),
    progress: live.progress,
    building: building === null ? null : { version: building.plan.version, progress: building.progress },
    stats: live.stats,
  };
}
