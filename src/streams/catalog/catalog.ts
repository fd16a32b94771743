import { isDeepStrictEqual } from 'node:util';
import { type Clock, type Random, randomId, TailwaterError, utf8 } from '../../base/index.ts';
import { type Journal, JournalReplica, type Proposal } from '../../journal/index.ts';
import type { StreamChanges, StreamDefinition, StreamSettings } from '../definition.ts';
import { partitionOfKey } from '../partitioner.ts';
import type { ControlRecord } from '../segment-types.ts';
import type { LogShard } from '../wal/log-shard.ts';
import {
  type CatalogChange,
  type CatalogState,
  type CatalogStream,
  catalogMachine,
  decodeCatalogEntry,
  encodeCatalogEntry,
} from './catalog-machine.ts';
import { checkStreamName, deadLetterOf } from './names.ts';
import { changedDefinition, type NormalSettings, normaliseSettings } from './settings.ts';

export interface CatalogOptions {
  journal: Journal;
  /** All log shards of the deployment, in the order of their numbers. */
  shards: readonly LogShard[];
  clock: Clock;
  random: Random;
}

/** Something that happened to the set of streams, here or on another node. */
export interface StreamChange {
  kind: 'created' | 'deleted' | 'changed';
  definition: StreamDefinition;
}

/** A stream's life that the log of a shard has. */
interface LoggedLife {
  shard: LogShard;
  incarnation: string;
}

type ChangeListener = (change: StreamChange) => void;

const CHECKPOINT_EVERY = 100;
const MAX_STREAMS = 100_000;

/**
 * The streams of a deployment, by name. Creating one claims its name in the catalog's journal first and then writes the control record
 * into its shard's log; deleting goes the same way. The catalog decides; whoever finds a log that differs completes it.
 */
export class Catalog {
  readonly #replica: JournalReplica<CatalogState>;
  readonly #shards: readonly LogShard[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #writerId: string;
  readonly #listeners = new Set<ChangeListener>();
  /** Incarnations whose log may not have followed the catalog yet, and the shard that has to. */
  readonly #unsettled = new Map<string, LogShard>();
  /** What was known before the last applied entry, so that a deletion can be told with its definition. */
  #known = new Map<string, CatalogStream>();
  #writerSequence = 0;

  private constructor(options: CatalogOptions, replica: JournalReplica<CatalogState>) {
    this.#replica = replica;
    this.#shards = options.shards;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#writerId = randomId(options.random);
    this.#known = new Map(replica.state.byIncarnation);
    replica.onApplied((seq, bytes) => this.#applied(decodeCatalogEntry(seq, bytes).change));
    replica.onReloaded(() => this.#reloaded());
  }

  /** Recovers the catalog and completes in the logs what an interrupted create or delete left undone. */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const logged = loggedIn(options.shards);
    const replica = await JournalReplica.open(options.journal, catalogMachine, { checkpointEvery: CHECKPOINT_EVERY });
    const catalog = new Catalog(options, replica);
    catalog.#expectDeletions(logged);
    for (const stream of replica.state.byName.values()) catalog.#expect(stream);
    await catalog.#settleAll();
    return catalog;
  }

  get(name: string): StreamDefinition | undefined {
    return this.#replica.state.byName.get(name)?.definition;
  }

  /** Whether the log is known to have followed the catalog: only then can the stream be written to. Else `create` sees to it. */
  isSettled({ incarnation }: StreamDefinition): boolean {
    return !this.#unsettled.has(incarnation);
  }

  /** TW_STREAM_NOT_FOUND. */
  require(name: string): StreamDefinition {
    const definition = this.get(name);
    if (definition === undefined) throw notFound(name);
    return definition;
  }

  byIncarnation(incarnation: string): StreamDefinition | undefined {
    return this.#replica.state.byIncarnation.get(incarnation)?.definition;
  }

  /** By name. */
  list(): StreamDefinition[] {
    const names = [...this.#replica.state.byName.keys()].sort();
    return names.map(name => this.require(name));
  }

  /** The log shard that holds all of a stream. TW_STREAM_NOT_FOUND when it was deleted. */
  shardOf(definition: StreamDefinition): LogShard {
    const stream = this.#replica.state.byIncarnation.get(definition.incarnation);
    if (stream === undefined) throw notFound(definition.name);
    return this.#shardOf(stream);
  }

  /**
   * Creates a stream, or finds it when it exists with the same settings (`created: false`). TW_STREAM_NAME, TW_BAD_REQUEST,
   * TW_STREAM_EXISTS. `internal` allows the names that are kept for Tailwater's own streams.
   */
  async create(
    name: string,
    settings: StreamSettings,
    options: { internal?: boolean } = {},
  ): Promise<{ definition: StreamDefinition; created: boolean }> {
    checkStreamName(name, options.internal ?? false);
    const normal = normaliseSettings(settings);
    await this.#replica.refresh();
    const keepsFormat = settings.table === undefined;
    const claim = await this.#replica.propose(state => this.#claim(state, name, normal, keepsFormat));
    await this.#settle(claim.definition.incarnation);
    if (this.byIncarnation(claim.definition.incarnation) === undefined) throw notFound(name);
    return claim;
  }

  /**
   * Changes settings of a stream that lives: its data stays. TW_STREAM_NOT_FOUND, TW_BAD_REQUEST, and what `check` throws about the definition
   * that would be: nothing is changed then.
   */
  async change(
    name: string,
    changes: StreamChanges,
    check: (after: StreamDefinition) => void = () => {},
  ): Promise<StreamDefinition> {
    await this.#replica.refresh();
    const { incarnation } = this.require(name);
    return this.#replica.propose(state => {
      const stream = state.byName.get(name);
      if (stream?.definition.incarnation !== incarnation) throw notFound(name);
      const definition = changedDefinition(stream.definition, changes);
      if (isDeepStrictEqual(definition, stream.definition)) return { kind: 'done', result: definition };
      check(definition);
      return this.#entry({ kind: 'changed', definition }, definition);
    });
  }

  /** TW_STREAM_NOT_FOUND. */
  async delete(name: string): Promise<StreamDefinition> {
    await this.#replica.refresh();
    const { incarnation } = this.require(name);
    // A life that never began in the log could not end there, and whoever is about to begin it there would not be told.
    await this.#settle(incarnation);
    const definition = await this.#replica.propose(state => this.#release(state, name, incarnation));
    await this.#settle(incarnation);
    return definition;
  }

  /** Learns what other nodes created and deleted, and completes in the logs what they may have left undone. */
  async refresh(): Promise<void> {
    const logged = loggedIn(this.#shards);
    await this.#replica.refresh();
    this.#expectDeletions(logged);
    await this.#settleAll();
  }

  /**
   * Every change in order, as soon as it is committed: a stream's creation comes before its first segment. Listeners must not throw.
   * Returns how to stop.
   */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async checkpoint(): Promise<void> {
    await this.#replica.checkpoint();
  }

  stats(): Record<string, number> {
    return { streams: this.#replica.state.byName.size, seq: this.#replica.seq, unsettled: this.#unsettled.size };
  }

  /** The journal stays open: who opened it closes it. */
  async close(): Promise<void> {
    await this.#replica.close();
  }

  #claim(
    state: CatalogState,
    name: string,
    normal: NormalSettings,
    keepsFormat: boolean,
  ): Proposal<{ definition: StreamDefinition; created: boolean }> {
    const existing = state.byName.get(name);
    if (existing !== undefined) {
      // Who does not ask for a format means the one it has: the default was another one once.
      const table = keepsFormat && existing.definition.table.format === 'lance' ? existing.definition.table : normal.table;
      if (!isSame(existing.definition, { ...normal, table })) throw exists(existing.definition, { ...normal, table });
      this.#expect(existing);
      return { kind: 'done', result: { definition: existing.definition, created: false } };
    }
    if (state.byName.size >= MAX_STREAMS)
      throw new TailwaterError('TW_BAD_REQUEST', { detail: `There are ${MAX_STREAMS} streams already.` });
    const identity = { name, incarnation: randomId(this.#random) };
    const definition = { ...identity, ...normal, createdAtMs: Math.floor(this.#clock.nowMs()) };
    const shard = this.#chooseShard(state, definition);
    return this.#entry({ kind: 'created', stream: { definition, shard } }, { definition, created: true });
  }

  #release(state: CatalogState, name: string, incarnation: string): Proposal<StreamDefinition> {
    const stream = state.byName.get(name);
    if (stream?.definition.incarnation !== incarnation) throw notFound(name);
    return this.#entry({ kind: 'deleted', incarnation }, stream.definition);
  }

  #entry<R>(change: CatalogChange, result: R): Proposal<R> {
    const writer = { writerId: this.#writerId, writerSequence: ++this.#writerSequence };
    const bytes = encodeCatalogEntry({ ...writer, nonce: randomId(this.#random), change });
    return { kind: 'entry', bytes, ...writer, result };
  }

  /** Streams of one group share a shard; a dead-letter stream has the shard of its stream, so that one segment can hold both. */
  #chooseShard(state: CatalogState, { name, colocate }: StreamDefinition): number {
    const group =
      colocate === null ? undefined : [...state.byName.values()].find(other => other.definition.colocate === colocate);
    const served = state.byName.get(deadLetterOf(name) ?? '');
    const relative = group ?? served;
    if (relative !== undefined) return relative.shard;
    return this.#shards[partitionOfKey(utf8(colocate ?? name), this.#shards.length)].shard;
  }

  #shardOf(stream: CatalogStream): LogShard {
    const shard = this.#shards.find(candidate => candidate.shard === stream.shard);
    if (shard !== undefined) return shard;
    throw new TailwaterError('TW_SETTING', {
      detail: `Stream ${stream.definition.name} is on log shard ${stream.shard}, which this node does not have.`,
    });
  }

  #applied(change: CatalogChange): void {
    if (change.kind === 'created') {
      this.#known.set(change.stream.definition.incarnation, change.stream);
      this.#tell('created', change.stream);
      return;
    }
    const incarnation = change.kind === 'deleted' ? change.incarnation : change.definition.incarnation;
    const stream = this.#known.get(incarnation);
    if (stream === undefined) return;
    if (change.kind === 'changed') {
      this.#known.set(incarnation, { ...stream, definition: change.definition });
      this.#tellListeners('changed', change.definition);
      return;
    }
    this.#known.delete(change.incarnation);
    this.#tell('deleted', stream);
  }

  /** After a jump to a checkpoint, the difference stands for the entries that were not seen. */
  #reloaded(): void {
    const before = this.#known;
    const now = this.#replica.state.byIncarnation;
    this.#known = new Map(now);
    for (const [incarnation, stream] of before) if (!now.has(incarnation)) this.#tell('deleted', stream);
    for (const [incarnation, stream] of now) {
      const known = before.get(incarnation);
      if (known === undefined) this.#tell('created', stream);
      else if (!isDeepStrictEqual(known.definition, stream.definition)) this.#tellListeners('changed', stream.definition);
    }
  }

  #tell(kind: StreamChange['kind'], stream: CatalogStream): void {
    this.#expect(stream);
    this.#tellListeners(kind, stream.definition);
  }

  #tellListeners(kind: StreamChange['kind'], definition: StreamDefinition): void {
    for (const listener of this.#listeners) listener({ kind, definition });
  }

  /** Notes that the log of this stream may have to follow the catalog. */
  #expect(stream: CatalogStream): void {
    const shard = this.#shards.find(candidate => candidate.shard === stream.shard);
    if (shard !== undefined) this.#unsettled.set(stream.definition.incarnation, shard);
  }

  /** Of lives that others began and ended while this replica jumped over both, nobody told it. */
  #expectDeletions(logged: readonly LoggedLife[]): void {
    const { byIncarnation } = this.#replica.state;
    for (const { shard, incarnation } of logged) if (!byIncarnation.has(incarnation)) this.#unsettled.set(incarnation, shard);
  }

  async #settleAll(): Promise<void> {
    for (const incarnation of [...this.#unsettled.keys()]) await this.#settle(incarnation);
  }

  /**
   * Makes the log follow the catalog. A creation is decided by what the catalog says after a position of the log is known. When the stream
   * is deleted after that, its life ends in the log above that position; the log then leaves out the creation, and it is decided again.
   */
  async #settle(incarnation: string): Promise<void> {
    const shard = this.#unsettled.get(incarnation);
    if (shard === undefined) return;
    while (!(await this.#agrees(shard, incarnation))) {
      const decidedAtSeq = shard.seq;
      await this.#replica.refresh();
      const stream = this.#replica.state.byIncarnation.get(incarnation);
      const control: ControlRecord =
        stream === undefined ? { kind: 'delete', incarnation } : { kind: 'create', definition: stream.definition };
      await shard.control([control], decidedAtSeq);
    }
    this.#unsettled.delete(incarnation);
  }

  async #agrees(shard: LogShard, incarnation: string): Promise<boolean> {
    // A deletion is for ever, so that the log is all that can have changed meanwhile.
    if (!this.#replica.state.byIncarnation.has(incarnation)) await shard.refresh();
    return this.#replica.state.byIncarnation.has(incarnation) === (shard.nextOffsets(incarnation) !== undefined);
  }
}

/** To be read before the catalog: a stream that a log has and the catalog then lacks has been deleted, not just created. */
function loggedIn(shards: readonly LogShard[]): LoggedLife[] {
  return shards.flatMap(shard => shard.incarnations().map(incarnation => ({ shard, incarnation })));
}

function isSame(definition: StreamDefinition, normal: NormalSettings): boolean {
  const { name: _name, incarnation: _incarnation, createdAtMs: _createdAtMs, ...rest } = definition;
  return isDeepStrictEqual(rest, normal);
}

function exists(definition: StreamDefinition, normal: NormalSettings): TailwaterError {
  const differing = Object.keys(normal).filter(name => {
    const setting = name as keyof NormalSettings;
    return !isDeepStrictEqual(definition[setting], normal[setting]);
  });
  return new TailwaterError('TW_STREAM_EXISTS', {
    detail: `Stream ${definition.name} exists with another ${differing.join(', ')}.`,
    data: { differing },
  });
}

function notFound(name: string): TailwaterError {
  return new TailwaterError('TW_STREAM_NOT_FOUND', {
    detail: `There is no stream ${JSON.stringify(name.slice(0, 220))}.`,
    data: { name: name.slice(0, 220) },
  });
}
