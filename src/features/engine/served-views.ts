import { type Clock, type Logger, type Random, TailwaterError } from '../../base/index.ts';
import type { LiveStreams, Pinner } from '../../snapshot/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { Catalog, StreamDefinition } from '../../streams/index.ts';
import type { FeatureViewDefinition } from '../definition/types.ts';
import { planView } from '../plan.ts';
import { Checkpoints } from './checkpoints.ts';
import { LiveView } from './live-view.ts';
import { type StoredView, ViewDocuments } from './view-documents.ts';

export interface ServedViewsOptions {
  store: ObjectStore;
  catalog: Catalog;
  streams: LiveStreams;
  pinner: Pinner;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Other nodes define views in the same store. */
  shared: boolean;
}

export interface Served {
  stored: StoredView;
  live: LiveView;
  /** A newer version that is being built. */
  building: LiveView | null;
}

/** The views that this node serves, and how it learns of those that other nodes define. Changes are made one after another. */
export class ServedViews {
  readonly #options: ServedViewsOptions;
  readonly #documents: ViewDocuments;
  readonly #checkpoints: Checkpoints;
  readonly #views = new Map<string, Served>();
  #changing: Promise<unknown> = Promise.resolve();
  /** A look that has not begun: whoever asks before it does shares it. */
  #nextLook: Promise<void> | null = null;
  #closed = false;

  private constructor(options: ServedViewsOptions) {
    this.#options = options;
    this.#documents = new ViewDocuments(options.store, options.clock, options.random);
    this.#checkpoints = new Checkpoints(options.store, options.random, options.logger);
  }

  static async open(options: ServedViewsOptions): Promise<ServedViews> {
    const views = new ServedViews(options);
    for (const stored of await views.#documents.list()) {
      const source = await views.sourceOf(stored.current.definition.source);
      if (source === undefined) options.logger.warn({ view: stored.name }, 'The stream of a feature view is gone');
      else views.#serve(stored, source);
    }
    return views;
  }

  all(): Iterable<Served> {
    return this.#views.values();
  }

  get(name: string): Served | undefined {
    return this.#views.get(name);
  }

  /** Throws TW_VIEW_NOT_FOUND, TW_CLOSED. */
  require(name: string): Served {
    this.requireOpen();
    const view = this.#views.get(name);
    if (view === undefined)
      throw new TailwaterError('TW_VIEW_NOT_FOUND', { detail: `There is no feature view "${String(name).slice(0, 220)}".` });
    return view;
  }

  requireOpen(): void {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
  }

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = (): Promise<T> => {
      this.requireOpen();
      return work();
    };
    const turn = this.#changing.then(run);
    this.#changing = turn.catch(() => {});
    return turn;
  }

  /** Makes this node serve what is stored now: what is new is built, what changed serves on until its successor is, what was removed ends. */
  look(): Promise<void> {
    if (!this.#options.shared) return Promise.resolve();
    this.#nextLook ??= this.inTurn(async () => {
      this.#nextLook = null;
      const stored = await this.#documents.list();
      const names = new Set(stored.map(({ name }) => name));
      for (const name of this.#views.keys()) if (!names.has(name)) await this.#end(name);
      for (const view of stored) {
        const source = await this.sourceOf(view.current.definition.source);
        if (source !== undefined) await this.#adopt(view, source);
      }
    });
    return this.#nextLook;
  }

  async lookFor(names: readonly string[]): Promise<void> {
    if (names.some(name => !this.#views.has(name))) await this.look();
  }

  /** The stream of that name, with its records at hand, also when another node has just created it. */
  async sourceOf(name: string): Promise<StreamDefinition | undefined> {
    const { catalog, streams, shared } = this.#options;
    const known = catalog.get(name);
    if (!shared || (known !== undefined && streams.get(known.incarnation) !== undefined)) return known;
    await catalog.refresh();
    const source = catalog.get(name);
    if (source !== undefined && streams.get(source.incarnation) === undefined) await streams.shard.refresh();
    return source;
  }

  /** In turn. Throws TW_VIEW_CHANGED. */
  async apply(
    name: string,
    definition: FeatureViewDefinition,
    source: StreamDefinition,
    replaces: string | undefined,
  ): Promise<void> {
    await this.#adopt(await this.#documents.apply(name, definition, replaces), source);
  }

  /** In turn. Throws TW_VIEW_NOT_FOUND. */
  async remove(name: string): Promise<void> {
    const removed = await this.#documents.remove(name);
    if (!removed) this.require(name);
    await this.#end(name);
    await this.#checkpoints.remove(name);
  }

  /** The state of every view is put away with its position, so that the next start reads only what came since. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#changing;
    for (const { live, building } of this.#views.values()) {
      await building?.close({ keep: false });
      await live.close();
    }
  }

  /** Serves what is stored, without a gap for those who read the version before. */
  async #adopt(stored: StoredView, source: StreamDefinition): Promise<void> {
    const known = this.#views.get(stored.name);
    const { version } = stored.current;
    if (known === undefined || !this.#isThere(known.live.source)) {
      await this.#end(stored.name);
      this.#serve(stored, source);
      return;
    }
    known.stored = stored;
    const next = known.building ?? known.live;
    if (next.plan.version === version && next.source.incarnation === source.incarnation) return;
    await known.building?.close({ keep: false });
    known.building = null;
    if (known.live.plan.version !== version || known.live.source.incarnation !== source.incarnation) this.#build(known, source);
  }

  #isThere({ name, incarnation }: StreamDefinition): boolean {
    return this.#options.catalog.get(name)?.incarnation === incarnation;
  }

  #serve(stored: StoredView, source: StreamDefinition): void {
    const live = this.#liveView(stored, source);
    this.#views.set(stored.name, { stored, live, building: null });
    live.start();
  }

  /** The new version takes over when it has caught up. */
  #build(known: Served, source: StreamDefinition): void {
    const building = this.#liveView(known.stored, source);
    known.building = building;
    building.start(() => {
      if (known.building !== building) return;
      const before = known.live;
      known.live = building;
      known.building = null;
      before.close({ keep: false }).catch(() => {});
    });
  }

  async #end(name: string): Promise<void> {
    const known = this.#views.get(name);
    this.#views.delete(name);
    await known?.building?.close({ keep: false });
    await known?.live.close({ keep: false });
  }

  #liveView({ name, current }: StoredView, source: StreamDefinition): LiveView {
    const { streams, pinner, clock, logger } = this.#options;
    const plan = planView(current.definition);
    return new LiveView({ name, plan, source, streams, pinner, checkpoints: this.#checkpoints, clock, logger });
  }
}
