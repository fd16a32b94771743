import { expect } from 'vitest';
import { isTailwaterError, type Random, seededRandom, silentLogger, utf8 } from '../../src/base/index.ts';
import { Appender } from '../../src/ingest/index.ts';
import { ObjectJournal, type Pin, Pins } from '../../src/journal/index.ts';
import {
  compactStream,
  MemoryTableStore,
  pinTableState,
  type TableState,
  TableStates,
  TableStatistics,
  TableTags,
  tagState,
} from '../../src/lakehouse/index.ts';
import type { CollectOptions } from '../../src/server/collect/collector.ts';
import { Collector } from '../../src/server/collect/collector.ts';
import type { CollectionReport } from '../../src/server/collect/report.ts';
import type { CollectionSettings } from '../../src/server/collect/settings.ts';
import {
  type Consistency,
  headsOf,
  LiveStreams,
  lookupRow,
  PastCuts,
  Pinner,
  ResidentTables,
  StreamReader,
  tokenOf,
} from '../../src/snapshot/index.ts';
import { MemoryObjectStore, type ObjectStore, withRetries } from '../../src/storage/index.ts';
import { Catalog, encodeToken, LogReader, LogShard, type StreamDefinition } from '../../src/streams/index.ts';
import { type Faults, FaultyObjectStore } from '../harness/faulty-object-store.ts';
import { Lifetime, mortal } from '../harness/mortal.ts';
import type { Simulation } from '../harness/simulate.ts';
import type { VirtualClock } from '../harness/virtual-clock.ts';
import { withStepHook } from '../lakehouse/compact-world.ts';

export const GRACE_MS = 500;

/** A record that was acknowledged, or may have been written. */
interface Known {
  n: number;
  stream: string;
  partition: number;
  offset: number;
  segment: number;
  key: string;
}

interface Instant {
  token: string;
  segment: number;
}

/** A serving node: log, catalog, tails, tables; what reads go through. */
interface Node {
  shard: LogShard;
  catalog: Catalog;
  reader: StreamReader;
  pinner: Pinner;
  appender: Appender;
  streams: LiveStreams;
}

interface PinnedTable {
  pin: Pin;
  definition: StreamDefinition;
  n: number;
  rows: string[];
  expiresAtMs: number;
}

interface TaggedTable {
  definition: StreamDefinition;
  tag: string;
  rows: string[];
}

/** Streams, writers, compactors, collectors and readers over one unreliable store, and a plain list that says what must be there. */
export class CollectWorld {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly truth = new MemoryObjectStore();
  readonly tables = new MemoryTableStore();
  readonly known: Known[] = [];
  /** Values whose append has an unknown outcome. */
  readonly maybe = new Set<number>();
  readonly instants: Instant[] = [];
  settings: Partial<CollectionSettings>;
  readonly counts = {
    exact: 0,
    expired: 0,
    runs: 0,
    killed: 0,
    pinnedReads: 0,
    taggedReads: 0,
    segments: 0,
    states: 0,
    statistics: 0,
    problems: 0,
  };
  #faults: Partial<Faults>;
  readonly #commitTimes = new Map<string, number>();
  readonly #pinned: PinnedTable[] = [];
  readonly #tagged: TaggedTable[] = [];
  node!: Node;
  #next = 0;
  #seed: number;

  constructor({ clock, random, seed }: Simulation, faults: Partial<Faults>, settings: Partial<CollectionSettings>) {
    this.clock = clock;
    this.random = random;
    this.#seed = seed * 1000;
    this.#faults = faults;
    this.settings = { graceMs: GRACE_MS, historySlack: 0, catalogEntries: 2, ...settings };
  }

  /** From now on the store works, and the log is kept for nobody. */
  settle(): void {
    this.#faults = {};
    this.settings = { ...this.settings, logHistoryMs: 0 };
  }

  store(faults: Partial<Faults> = this.#faults): ObjectStore {
    const random = seededRandom(++this.#seed);
    return withRetries(new FaultyObjectStore(this.truth, this.clock, random, faults), { clock: this.clock, random });
  }

  /** A node of its own, as after a crash of the one before. */
  async open(store: ObjectStore = this.store()): Promise<Node> {
    const { clock } = this;
    const random = seededRandom(++this.#seed);
    const journal = new ObjectJournal(store, 'log');
    const shard = await LogShard.open({ journal, shard: 0, clock, random, checkpointEverySegments: 7 });
    const catalog = await Catalog.open({ journal: new ObjectJournal(store, 'catalog'), shards: [shard], clock, random });
    const log = new LogReader(journal, { maxCacheBytes: 1000 });
    const residents = new ResidentTables({ clock, logger: silentLogger });
    const streams = await LiveStreams.open({ catalog, shard, shardNumber: 0, log, store, tables: this.tables, residents });
    const past = new PastCuts(log, { fill: async () => {}, compute: async () => {} });
    const pinner = new Pinner({ streams, log, past, clock, fallback: { kind: 'strong' } });
    const reader = new StreamReader(pinner, clock);
    return { shard, catalog, reader, pinner, appender: new Appender({ catalog, clock }), streams };
  }

  /** A node that fell behind the floor serves again after a moment. */
  ready(): Promise<void> {
    return this.insist(async () => this.node.streams.requireReady());
  }

  async restart(): Promise<void> {
    this.node = await this.insist(() => this.open());
  }

  /** What a client does when the storage is away for a moment. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE', 'TW_OUTCOME_UNKNOWN', 'TW_NOT_READY')) throw error;
        await this.clock.sleep(20);
      }
    }
  }

  create(name: string, settings: Parameters<Catalog['create']>[1]): Promise<unknown> {
    return this.insist(() => this.node.catalog.create(name, settings));
  }

  async append(name: string, keys: readonly string[], node = this.node): Promise<void> {
    const definition = node.catalog.require(name);
    const written = keys.map(key => ({ key, n: this.#next++ }));
    const records = written.map(({ key, n }) => ({ key, time: 1_767_225_600_000, value: { n } }));
    try {
      const { partitions, position } = await node.appender.append(definition, { records });
      const segment = position.shards[0].seq;
      await this.#acknowledge(name, written, partitions, segment, node);
      this.instants.push({ token: encodeToken(position), segment });
    } catch (error) {
      if (!isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) throw error;
      for (const { n } of written) this.maybe.add(n);
    }
  }

  /** Where each value went is read back, from the tail of the node that wrote it. */
  async #acknowledge(
    stream: string,
    written: readonly { key: string; n: number }[],
    partitions: readonly { partition: number; first: number; last: number }[],
    segment: number,
    node: Node,
  ): Promise<void> {
    const keys = new Map(written.map(({ key, n }) => [n, key]));
    const places: { partition: number; offset: number }[] = [];
    for (const { partition, first, last } of partitions)
      for (let offset = first; offset <= last; offset++) places.push({ partition, offset });
    expect(places.length).toBe(written.length);
    const live = node.streams.require(node.catalog.require(stream));
    for (const { partition, offset } of places) {
      const [record] = live.tail.snapshot(live.logSeq, node.shard.seq).byOffsets(partition, offset, offset, 1);
      const { n } = JSON.parse(Buffer.from(record.value!).toString());
      this.known.push({ n, stream, partition, offset, segment, key: keys.get(n)! });
    }
  }

  async compact(name: string): Promise<void> {
    const definition = this.node.catalog.get(name);
    if (definition === undefined) return;
    const store = this.store();
    const random = seededRandom(++this.#seed);
    const hook = (): Promise<void> => this.clock.sleep(random.float() * 5);
    const context = {
      store,
      tables: withStepHook(this.tables, hook),
      log: new LogReader(new ObjectJournal(store, 'log')),
      clock: this.clock,
      random,
      settings: { maxStepRows: 8, maxAttempts: 4 },
      vectorsFor: async () => ({ vectors: new Float32Array(0), hasVector: new Uint8Array(0) }),
    };
    const through = this.node.shard.seq;
    try {
      await compactStream(context, definition, through);
    } catch (error) {
      // Nothing is lost by a compaction that fails: the next one starts from the same place.
      if (!isTailwaterError(error, 'TW_COMPACTION_FAILED')) throw error;
    }
    await this.insist(async () => this.node.streams.get(definition.incarnation)?.advance());
  }

  /** One run of a collector that shares nothing with others; after `calls` of anything it is killed. */
  async collect(options: CollectOptions & { calls?: number; faults?: Partial<Faults> } = {}): Promise<CollectionReport | null> {
    const lifetime = new Lifetime(options.calls ?? Number.POSITIVE_INFINITY, this.random);
    const store = mortal(this.store(options.faults), lifetime);
    const random = seededRandom(++this.#seed);
    try {
      const shard = await LogShard.open({ journal: new ObjectJournal(store, 'log'), shard: 0, clock: this.clock, random });
      const collector = new Collector({
        shards: [shard],
        catalog: new ObjectJournal(store, 'catalog'),
        store,
        tables: mortal(this.tables, lifetime),
        pins: new Pins(store, 'collector', this.clock, random),
        clock: this.clock,
        settings: this.settings,
      });
      this.counts.runs++;
      const { signal, dryRun, thorough } = options;
      const report = await collector.run({
        ...(signal && { signal }),
        ...(dryRun && { dryRun }),
        ...(thorough && { thorough }),
      });
      for (const log of report.log) this.counts.segments += log.segments;
      this.counts.states += report.states;
      this.counts.statistics += report.statistics.objects;
      this.counts.problems += report.problems.length;
      return report;
    } catch (error) {
      if (!isTailwaterError(error, 'TW_CLOSED', 'TW_STORAGE_UNAVAILABLE', 'TW_OUTCOME_UNKNOWN')) throw error;
      return null;
    } finally {
      if (lifetime.ended) this.counts.killed++;
    }
  }

  /** A reader in another process pins the newest table state, as a scan does. */
  async pin(name: string, ttlMs: number): Promise<void> {
    const definition = this.node.catalog.get(name);
    if (definition === undefined) return;
    const store = this.store();
    const states = new TableStates(store, definition.incarnation);
    const state = await this.insist(() => states.latest());
    if (state === null) return;
    const pins = new Pins(store, 'reader', this.clock, this.random);
    const expiresAtMs = this.clock.nowMs() + ttlMs;
    const pin = await this.insist(() => pinTableState(pins, states, state, ttlMs)).catch(() => null);
    if (pin === null) return;
    this.#pinned.push({ pin, definition, n: state.n, rows: await this.#rowsOf(definition, state.n), expiresAtMs });
  }

  /** Every pinned state that has not run out is whole: entry, versions and statistics. */
  async checkPins(): Promise<void> {
    for (const { definition, n, rows, expiresAtMs } of this.#pinned) {
      if (!this.node.catalog.byIncarnation(definition.incarnation)) continue;
      if (expiresAtMs <= this.clock.nowMs()) continue;
      expect(await this.#rowsOf(definition, n), `pinned state ${n} of ${definition.name}`).toEqual(rows);
      this.counts.pinnedReads++;
    }
  }

  /** Somebody tags the newest table state of a stream. */
  async tag(name: string): Promise<void> {
    const definition = this.node.catalog.get(name);
    if (definition === undefined) return;
    const store = this.store();
    const states = new TableStates(store, definition.incarnation);
    const state = await this.insist(() => states.latest());
    if (state === null) return;
    const tag = { name: `t${this.#next++}`, createdAtMs: this.clock.nowMs(), attemptId: `a${this.#next}`, state };
    const pins = new Pins(store, 'tagger', this.clock, this.random);
    try {
      await tagState(pins, states, new TableTags(store, definition.incarnation), tag);
    } catch (error) {
      if (isTailwaterError(error, 'TW_OUTCOME_UNKNOWN', 'TW_STORAGE_UNAVAILABLE', 'TW_HISTORY_EXPIRED')) return;
      throw error;
    }
    this.#tagged.push({ definition, tag: tag.name, rows: await this.#rowsOf(definition, state.n, state) });
  }

  /** A tag goes, whichever; its instant may be collected at any moment from now on. */
  async untag(): Promise<void> {
    const [tagged] = this.#tagged.splice(Math.floor(this.random.float() * this.#tagged.length), 1);
    if (tagged === undefined) return;
    await this.insist(() => new TableTags(this.store(), tagged.definition.incarnation).delete(tagged.tag));
  }

  /** Every tag answers as when it was made, through a node, however long its states and log are gone. */
  async checkTags(node = this.node): Promise<void> {
    for (const { definition, tag, rows } of [...this.#tagged]) {
      const pinned = await this.insist(() => node.pinner.pin(definition, { asOf: { tag } }, this.clock.nowMs()));
      expect(await this.#rowsOf(definition, pinned.table!.state.n, pinned.table!.state), `tag ${tag}`).toEqual(rows);
      const byToken = await this.insist(() => node.pinner.pin(definition, { asOf: tokenOf(pinned) }, this.clock.nowMs()));
      expect([headsOf(byToken), byToken.table!.state.rowsHash]).toEqual([headsOf(pinned), pinned.table!.state.rowsHash]);
      this.counts.taggedReads++;
    }
  }

  async #rowsOf(definition: StreamDefinition, n: number, known?: TableState): Promise<string[]> {
    const state = known ?? (await new TableStates(this.truth, definition.incarnation).read(n))!;
    await TableStatistics.load(this.truth, state.statistics);
    const versions = { rows: state.rowsVersion, changes: state.changesVersion };
    const version = await this.tables.open(definition, versions, state.schema);
    const rows: string[] = [];
    for await (const batch of version.scan({}))
      for (const row of batch) rows.push(`${row.seq}=${Buffer.from(row.value!).toString()}`);
    expect(rows.length).toBe(state.rowCount);
    return rows.sort();
  }

  /** Every acknowledged record is read exactly once, by this node or one that starts now. */
  async checkEverything(node = this.node): Promise<void> {
    for (const definition of node.catalog.list()) {
      await this.#checkRecords(definition, node, undefined, Number.POSITIVE_INFINITY);
    }
  }

  /** An earlier instant is answered exactly, or not at all. */
  async checkInstant(instant: Instant, node = this.node): Promise<void> {
    for (const definition of node.catalog.list()) {
      await this.#orExpired(() => this.#checkRecords(definition, node, { asOf: instant.token }, instant.segment));
      const commit = this.known.find(known => known.segment === instant.segment);
      const timeMs = commit && this.#commitTimes.get(placeOf(commit));
      if (timeMs === undefined) continue;
      const asOf = new Date(timeMs).toISOString();
      await this.#orExpired(() => this.#checkRecords(definition, node, { asOf }, instant.segment));
    }
  }

  async #orExpired(check: () => Promise<void>): Promise<void> {
    try {
      await check();
      this.counts.exact++;
    } catch (error) {
      if (!isTailwaterError(error, 'TW_HISTORY_EXPIRED')) throw error;
      this.counts.expired++;
    }
  }

  async #checkRecords(
    definition: StreamDefinition,
    node: Node,
    consistency: Consistency | undefined,
    throughSegment: number,
  ): Promise<void> {
    const found = new Map<number, number>();
    const newest = new Map<string, number>();
    for (let partition = 0; partition < definition.partitions; partition++) {
      const request = { partition, from: { kind: 'earliest' } as const, limit: 10_000, ...(consistency && { consistency }) };
      const page = await this.insist(() => node.reader.page(definition, request));
      for (const [index, record] of page.records.entries()) {
        expect(record.offset, 'offsets are dense').toBe(index);
        const { n } = JSON.parse(Buffer.from(record.value!).toString());
        expect(found.has(n), `record ${n} is read once`).toBe(false);
        found.set(n, record.offset);
        const place = `${definition.name}/${partition}/${record.offset}`;
        const timeMs = this.#commitTimes.get(place) ?? record.ingestedAtMs;
        expect(record.ingestedAtMs).toBe(timeMs);
        this.#commitTimes.set(place, timeMs);
        const key = Buffer.from(record.key!).toString();
        newest.set(key, Math.max(n, newest.get(key) ?? -1));
      }
    }
    const wanted = this.known.filter(known => known.stream === definition.name && known.segment <= throughSegment);
    for (const { n, offset } of wanted) expect(found.get(n), `record ${n} at ${consistency?.asOf ?? 'now'}`).toBe(offset);
    const extra = [...found.keys()].filter(n => !wanted.some(known => known.n === n));
    expect(
      extra.filter(n => !this.maybe.has(n)),
      'nothing else',
    ).toEqual([]);
    if (definition.kind === 'upsert') await this.#checkRows(definition, node, consistency, newest);
  }

  async #checkRows(
    definition: StreamDefinition,
    node: Node,
    consistency: Consistency | undefined,
    newest: ReadonlyMap<string, number>,
  ): Promise<void> {
    const pinned = await this.insist(() => node.pinner.pin(definition, consistency, this.clock.nowMs() + 60_000));
    for (const [key, n] of newest) {
      const row = await this.insist(() => lookupRow(pinned, utf8(key)));
      expect(row && JSON.parse(Buffer.from(row.record.value!).toString()), `row ${key}`).toEqual({ n });
    }
  }
}

function placeOf({ stream, partition, offset }: Known): string {
  return `${stream}/${partition}/${offset}`;
}
