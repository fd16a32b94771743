import { isTailwaterError, TailwaterError } from '../base/index.ts';
import { TableStates, type TableStore } from '../lakehouse/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import type { Catalog, LogReader, LogShard, Segment, StreamDefinition } from '../streams/index.ts';
import { CommitTimes } from './commit-times.ts';
import { LiveStream } from './live-stream.ts';
import type { ResidentTables } from './resident-tables.ts';

/** Segments read before they are applied, when a node catches up with the log. */
const REJOIN_SEGMENTS = 64;
const MAX_REJOINS = 10;

export interface LiveStreamsOptions {
  catalog: Catalog;
  shard: LogShard;
  shardNumber: number;
  log: LogReader;
  store: ObjectStore;
  tables: TableStore;
  residents: ResidentTables;
}

/**
 * Every stream of one log shard on this node. Opening replays the log above the oldest watermark; then each segment is applied
 * as the shard applies it, before its writers are answered: what was acknowledged is visible.
 */
export class LiveStreams {
  readonly #options: LiveStreamsOptions;
  readonly #streams = new Map<string, LiveStream>();
  readonly #stop: (() => void)[] = [];
  readonly #listeners = new Set<(stream: LiveStream) => void>();
  readonly commitTimes = new CommitTimes();
  #closed = false;
  /** Segments of the log have not reached the tails, and will not come: `#rejoin` gets what they held from the tables. */
  #fellBehind = false;
  #rejoining: Promise<void> | null = null;

  private constructor(options: LiveStreamsOptions) {
    this.#options = options;
  }

  static async open(options: LiveStreamsOptions): Promise<LiveStreams> {
    const streams = new LiveStreams(options);
    await streams.#replay();
    streams.#stop.push(
      options.shard.onSegment(segment => (streams.#fellBehind ? streams.#startRejoining() : streams.#apply(segment))),
    );
    streams.#stop.push(
      options.shard.onReloaded(() => {
        streams.#fellBehind = true;
        streams.#startRejoining();
      }),
    );
    streams.#stop.push(
      options.catalog.onChange(({ kind, definition }) => {
        if (kind === 'changed') streams.#streams.get(definition.incarnation)?.redefine(definition);
      }),
    );
    for (const definition of options.catalog.list()) streams.#streams.get(definition.incarnation)?.redefine(definition);
    return streams;
  }

  get shard(): LogShard {
    return this.#options.shard;
  }

  get shardNumber(): number {
    return this.#options.shardNumber;
  }

  /**
   * Throws TW_STREAM_NOT_FOUND, TW_CLOSED once segments are not applied any more, and TW_NOT_READY while this node, which fell behind the
   * log's floor, opens its streams anew: segments never reached its tails, and an answer would be older than it says.
   */
  require(definition: StreamDefinition): LiveStream {
    this.requireReady();
    const stream = this.#streams.get(definition.incarnation);
    if (!stream) throw new TailwaterError('TW_STREAM_NOT_FOUND', { detail: `Stream "${definition.name}" was deleted.` });
    return stream;
  }

  /** Throws TW_CLOSED or TW_NOT_READY, as `require`. */
  requireReady(): void {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    if (!this.#fellBehind) return;
    // The last attempt may have failed with the storage.
    this.#startRejoining();
    throw fellBehind();
  }

  all(): Iterable<LiveStream> {
    return this.#streams.values();
  }

  /** Rises with every table state that this node learns of. */
  statesSeen(): number {
    let sum = 0;
    for (const { newestState } of this.#streams.values()) sum += newestState?.n ?? 0;
    return sum;
  }

  get(incarnation: string): LiveStream | undefined {
    return this.#streams.get(incarnation);
  }

  #startRejoining(): void {
    this.#rejoining ??= this.#rejoinFrom(MAX_REJOINS)
      // Whoever comes next, a segment or a request, starts it again.
      .catch(() => {})
      .finally(() => {
        this.#rejoining = null;
      });
  }

  /** Again where the floor rose meanwhile. */
  async #rejoinFrom(attempts: number): Promise<void> {
    try {
      await this.#rejoin();
    } catch (error) {
      if (attempts === 1 || this.#closed || !isTailwaterError(error, 'TW_HISTORY_EXPIRED')) throw error;
      await this.#rejoinFrom(attempts - 1);
    }
  }

  /**
   * What the log let go of while this node stood still is in tables: every stream takes over its newest table state, and the log from the
   * floor on is applied until nothing is left. Segments that come meanwhile are in the log, too.
   */
  async #rejoin(): Promise<void> {
    const { catalog, shard, log } = this.#options;
    await catalog.refresh();
    await this.#awaitCatalog();
    const floor = await log.floor();
    const living = new Set([...shard.incarnations(), ...catalog.list().map(definition => definition.incarnation)]);
    for (const incarnation of [...this.#streams.keys()]) if (!living.has(incarnation)) this.#drop(incarnation);
    await Promise.all(catalog.list().map(definition => this.#addOrRejoin(definition, floor)));
    for (let next = floor; next <= shard.seq; ) {
      const segments: Segment[] = [];
      // Whole runs: only at its end is it known that the floor was not above its beginning.
      for await (const segment of log.range(next, Math.min(shard.seq, next + REJOIN_SEGMENTS - 1))) segments.push(segment);
      for (const segment of segments) this.#apply(segment);
      next += segments.length;
    }
    this.#fellBehind = false;
  }

  async #addOrRejoin(definition: StreamDefinition, floor: number): Promise<void> {
    const stream = this.#streams.get(definition.incarnation);
    if (stream === undefined) return this.#add(definition);
    stream.redefine(definition);
    await stream.rejoin(floor);
  }

  /** A stream that was created while this node opened may be in the applied log already, and in the catalog only since it was read. */
  async #awaitCatalog(): Promise<void> {
    const { catalog, shard } = this.#options;
    while (shard.incarnations().some(incarnation => catalog.byIncarnation(incarnation) === undefined)) await catalog.refresh();
  }

  async #replay(): Promise<void> {
    const { catalog, shard, log } = this.#options;
    await this.#awaitCatalog();
    // The floor first: what it lets go of is then in the tables that are opened after it.
    const floor = await log.floor();
    await Promise.all(catalog.list().map(definition => this.#add(definition)));
    let from = shard.seq + 1;
    for (const stream of this.#streams.values()) {
      if (this.#isBehind(stream)) from = Math.min(from, stream.logSeq + 1);
    }
    // What is below the floor is in tables, also where the table of an idle stream was written long before.
    from = Math.max(from, floor);
    for await (const segment of log.range(from, shard.seq)) this.#apply(segment);
  }

  /** Whether the log has records of the stream that its table lacks: an idle stream costs no replay. */
  #isBehind(stream: LiveStream): boolean {
    const next = this.#options.shard.nextOffsets(stream.definition.incarnation) ?? [];
    const watermark = stream.view?.state.watermark ?? [];
    return next.some((offset, partition) => offset - 1 > (watermark[partition] ?? -1));
  }

  async #add(definition: StreamDefinition): Promise<void> {
    const { store, tables, residents } = this.#options;
    const states = new TableStates(store, definition.incarnation);
    this.#streams.set(definition.incarnation, await LiveStream.open(definition, { store, tables, states }, residents));
  }

  #apply(segment: Segment): void {
    this.commitTimes.add(segment.seq, segment.commitTimeMs);
    for (const control of segment.controls) {
      if (control.kind === 'create') this.#create(control.definition);
      else if (control.kind === 'delete') this.#drop(control.incarnation);
    }
    const touched = new Set(segment.batches.map(batch => batch.incarnation));
    for (const incarnation of touched) {
      const stream = this.#streams.get(incarnation);
      if (!stream) continue;
      stream.apply(segment);
      for (const listener of this.#listeners) listener(stream);
    }
  }

  /** Told of every stream that has new records in its tail, before their writers are answered. Must be quick. */
  onRecords(listener: (stream: LiveStream) => void): void {
    this.#listeners.add(listener);
  }

  /** A new life has no table yet, so its tail is complete from the start. */
  #create(definition: StreamDefinition): void {
    if (this.#streams.has(definition.incarnation)) return;
    const { store, tables, residents } = this.#options;
    const states = new TableStates(store, definition.incarnation);
    const known = this.#options.catalog.byIncarnation(definition.incarnation) ?? definition;
    this.#streams.set(definition.incarnation, LiveStream.fresh(known, { store, tables, states }, residents));
  }

  #drop(incarnation: string): void {
    this.#streams.get(incarnation)?.close();
    this.#streams.delete(incarnation);
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stop) stop();
    for (const stream of this.#streams.values()) stream.close();
  }
}

function fellBehind(): TailwaterError {
  const problem = 'This node stood still while others let go of the log it had not read. It opens its streams anew.';
  return new TailwaterError('TW_NOT_READY', { detail: problem, data: { problems: [problem] }, retryAfterMs: 1000 });
}
