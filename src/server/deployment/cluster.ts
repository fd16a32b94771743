import type { Clock, Logger, Timer } from '../../base/index.ts';
import type { LiveStreams, Pinner } from '../../snapshot/index.ts';
import type { Catalog, LogShard, Segment } from '../../streams/index.ts';
import type { ComponentStats } from '../metrics.ts';
import { type Hint, type Hints, noHints } from './hints.ts';
import { LOG_FOLLOW_DEFAULTS, LogFollower, type LogFollowSettings } from './log-follower.ts';
import { TABLE_FOLLOW_DEFAULTS, TableFollower, type TableFollowSettings } from './table-follower.ts';

export interface ClusterSettings {
  log: LogFollowSettings;
  tables: TableFollowSettings;
  /** Between looks at the catalog for changed settings of streams and for feature views; new and deleted streams come with the log. Default 300,000 ms. */
  catalogPollMs: number;
}

export const CLUSTER_DEFAULTS: ClusterSettings = {
  log: LOG_FOLLOW_DEFAULTS,
  tables: TABLE_FOLLOW_DEFAULTS,
  catalogPollMs: 300_000,
};

export interface ClusterOptions {
  shard: LogShard;
  catalog: Catalog;
  streams: LiveStreams;
  pinner: Pinner;
  /** The feature views of this node. */
  features: { look(): Promise<void> };
  /** Null: nodes only poll. */
  hints: Hints | null;
  clock: Clock;
  logger: Logger;
  settings: ClusterSettings;
}

/** What a node does because others share its deployment: it follows their segments, streams and tables, and tells them of its own. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #hints: Hints;
  readonly #log: LogFollower;
  readonly #tables: TableFollower;
  readonly #stop: (() => void)[] = [];
  #catalogTimer: Timer | null = null;
  #refreshing: Promise<void> = Promise.resolve();

  constructor(options: ClusterOptions) {
    const { shard, streams, pinner, clock, logger, settings } = options;
    this.#options = options;
    this.#hints = options.hints ?? noHints;
    const isAwaited = (): boolean => [...streams.all()].some(stream => stream.isAwaited);
    this.#log = new LogFollower({ shard, refresh: () => pinner.refresh(), isAwaited, clock, settings: settings.log });
    this.#tables = new TableFollower({ streams, clock, logger, settings: settings.tables });
    this.#stop.push(shard.onSegment(segment => this.#applied(segment)));
    this.#stop.push(this.#hints.subscribe(hint => this.#hinted(hint)));
    this.#pollCatalog();
  }

  /** This node committed a table state. */
  tableAdvanced(incarnation: string): void {
    this.#hints.publish({ kind: 'table', incarnation });
  }

  /** This node changed the settings of a stream, or a feature view: the log does not say so. */
  catalogChanged(): void {
    this.#hints.publish({ kind: 'catalog' });
  }

  stats(): ComponentStats[] {
    return [
      { component: 'log_follower', stats: this.#log.stats() },
      { component: 'table_follower', stats: this.#tables.stats() },
    ];
  }

  async close(): Promise<void> {
    for (const stop of this.#stop) stop();
    this.#catalogTimer?.cancel();
    this.#tables.close();
    await this.#log.close();
    await this.#refreshing;
  }

  #applied({ controls, shard, seq }: Segment): void {
    this.#hints.publish({ kind: 'segment', shard, seq });
    if (controls.length > 0) this.#refreshCatalog();
  }

  #hinted(hint: Hint): void {
    if (hint.kind === 'segment' && hint.shard === this.#options.shard.shard) this.#log.hinted(hint.seq);
    if (hint.kind === 'table') this.#tables.hinted(hint.incarnation);
    if (hint.kind === 'catalog') this.#refreshAll();
  }

  #pollCatalog(): void {
    this.#catalogTimer = this.#options.clock.after(this.#options.settings.catalogPollMs, () => {
      this.#refreshAll();
      this.#pollCatalog();
    });
  }

  /** A failure is made up for by the next look, or by whoever asks for a stream that is not known. */
  #refreshCatalog(): void {
    this.#refreshing = this.#options.catalog.refresh().catch(() => {});
  }

  #refreshAll(): void {
    const { catalog, features } = this.#options;
    this.#refreshing = catalog
      .refresh()
      .then(() => features.look())
      .catch(() => {});
  }
}
