import { TailwaterError } from '../base/index.ts';
import { TableStates, type TableStore } from '../lakehouse/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import type { Catalog, LogReader, LogShard, Segment, StreamDefinition } from '../streams/index.ts';
import { CommitTimes } from './commit-times.ts';
import { LiveStream } from './live-stream.ts';
import type { ResidentTables } from './resident-tables.ts';

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
  #fellBehind = false;

  private constructor(options: LiveStreamsOptions) {
    this.#options = options;
  }

  static async open(options: LiveStreamsOptions): Promise<LiveStreams> {
    const streams = new LiveStreams(options);
    await streams.#replay();
    streams.#stop.push(options.shard.onSegment(segment => streams.#apply(segment)));
    streams.#stop.push(
      options.shard.onReloaded(() => {
        streams.#fellBehind = true;
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
   * Throws TW_STREAM_NOT_FOUND, TW_CLOSED once segments are not applied any more, and TW_NOT_READY when this node fell behind the log's
   * floor: segments never reached its tails, and an answer would be older than it says.
   */
  require(definition: StreamDefinition): LiveStream {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    if (this.#fellBehind) throw fellBehind();
    const stream = this.#streams.get(definition.incarnation);
    if (!stream) throw new TailwaterError('TW_STREAM_NOT_FOUND', { detail: `Stream "${definition.name}" was deleted.` });
    return stream;
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

  async #replay(): Promise<void> {
    const { catalog, shard, log } = this.#options;
    // A stream that was created while this node opened may be in the applied log already, and in the catalog only since it was read.
    while (shard.incarnations().some(incarnation => catalog.byIncarnation(incarnation) === undefined)) await catalog.refresh();
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
  const problem = 'This node stood still while others let go of the log it had not read. It has to be opened anew.';
  return new TailwaterError('TW_NOT_READY', { detail: problem, data: { problems: [problem] } });
}
