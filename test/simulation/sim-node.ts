import { type Clock, type Random, randomId, seededRandom, silentLogger } from '../../src/base/index.ts';
import { Appender } from '../../src/ingest/index.ts';
import { type Journal, ObjectJournal, Pins } from '../../src/journal/index.ts';
import type { CompactionContext, TableStore } from '../../src/lakehouse/index.ts';
import { Searcher } from '../../src/retrieval/index.ts';
import { Collector } from '../../src/server/collect/collector.ts';
import {
  Follower,
  LiveStreams,
  PastCuts,
  Pinner,
  ResidentTables,
  StreamReader,
  TailEmbeddings,
} from '../../src/snapshot/index.ts';
import { type ObjectStore, withRetries } from '../../src/storage/index.ts';
import { Catalog, LogReader, LogShard, type StreamDefinition } from '../../src/streams/index.ts';
import { FaultyObjectStore } from '../harness/faulty-object-store.ts';
import { TruthJournal } from './file-log.ts';
import type { Life } from './life.ts';
import { fileSystemOf, ProcessClock, storeOf, tablesOf } from './process-ports.ts';
import { SimEmbedders } from './remote-provider.ts';
import type { World } from './world.ts';

const SHARD = 0;
const GRACE_MS = 20_000;
const POLL_MS = 5_000;
/** Where nothing happens for long, ever less often. */
const MAX_POLL_MS = 80_000;
/** While everything lands and nobody asks. */
const CALM_POLL_MS = 300_000;

/** Small, so that short histories have steps, fills and merges of every kind. */
const COMPACTION = {
  maxStepRows: 12,
  maxFilledVectors: 4,
  unindexedTextRows: 8,
  compactionsPerOptimize: 3,
  maxAttempts: 5,
  vectorsDeadlineMs: 2_000,
  /** The model of what is true knows no expiry yet: superseded versions stay. */
  expire: false,
};

/** What a process runs on, before it has opened anything. */
interface Ports {
  life: Life;
  clock: ProcessClock;
  random: Random;
  store: ObjectStore;
  tables: TableStore;
  journal: Journal;
}

interface Parts extends Ports {
  shard: LogShard;
  catalog: Catalog;
  streams: LiveStreams;
  residents: ResidentTables;
  embeddings: TailEmbeddings;
  embedders: SimEmbedders;
  log: LogReader;
}

/** A node as the engine composes it, on simulated ports, in a process of its own. */
export class SimNode {
  readonly life: Life;
  readonly clock: ProcessClock;
  readonly shard: LogShard;
  readonly catalog: Catalog;
  readonly streams: LiveStreams;
  readonly appender: Appender;
  readonly searcher: Searcher;
  readonly reader: StreamReader;
  readonly pinner: Pinner;
  readonly follower: Follower;
  readonly store: ObjectStore;
  readonly tables: TableStore;
  readonly journal: Journal;
  readonly collector: Collector;
  readonly #parts: Parts;
  readonly #context: CompactionContext;

  private constructor(world: World, parts: Parts) {
    const { clock, catalog, streams, embeddings, log } = parts;
    this.#parts = parts;
    this.life = parts.life;
    this.clock = clock;
    this.shard = parts.shard;
    this.catalog = catalog;
    this.streams = streams;
    this.store = parts.store;
    this.tables = parts.tables;
    this.journal = parts.journal;
    const past = new PastCuts(log, embeddings);
    this.pinner = new Pinner({ streams, log, past, clock, fallback: { kind: 'strong' } });
    this.appender = new Appender({ catalog, clock });
    const onSearch = (definition: StreamDefinition) => parts.residents.searched(streams.require(definition));
    this.searcher = new Searcher({ pinner: this.pinner, embeddings, clock, onSearch });
    this.reader = new StreamReader(this.pinner, clock);
    this.follower = new Follower(streams, this.pinner, clock);
    this.#context = this.compactor();
    this.collector = collectorOf(this, parts.random);
    this.#poll(world);
  }

  /** Starts a process. Throws what opening throws; then the process is dead. */
  static async open(world: World, life: Life): Promise<SimNode> {
    const ports = portsOf(world, life);
    const { clock, random, store, tables } = ports;
    const journal =
      world.disk === null
        ? new ObjectJournal(store, 'log')
        : await TruthJournal.open(
            fileSystemOf(world.disk, life, () => world.wait(clock)),
            world.truth,
            random,
          );
    const { lingerMs, checkpointEverySegments } = world.plan;
    const shard = await LogShard.open({ journal, shard: SHARD, clock, random, lingerMs, checkpointEverySegments });
    const catalog = await Catalog.open({ journal: new ObjectJournal(store, 'catalog'), shards: [shard], clock, random });
    const log = new LogReader(journal);
    const residents = residentsOf(clock, random);
    const streams = await LiveStreams.open({ catalog, shard, shardNumber: SHARD, log, store, tables, residents });
    const embedders = new SimEmbedders({ store, clock, random, secrets: {} }, world.service);
    const embeddings = new TailEmbeddings({ streams, embedders, clock, logger: silentLogger });
    return new SimNode(world, { ...ports, journal, shard, catalog, streams, residents, embedders, embeddings, log });
  }

  /** The node's own compactor, which remembers tables from one call to the next. */
  get context(): CompactionContext {
    return this.#context;
  }

  /** Another compactor on this node. */
  compactor(): CompactionContext {
    const { store, tables, log, clock, random, embedders } = this.#parts;
    const fullyHashedRows = random.float() < 0.5 ? 100 : 0;
    const vectorsFor = embedders.vectorsFor.bind(embedders);
    const computedVectorsFor = embedders.computedVectorsFor.bind(embedders);
    return { store, tables, log, clock, random, vectorsFor, computedVectorsFor, settings: { ...COMPACTION, fullyHashedRows } };
  }

  /** An orderly stop. */
  async close(): Promise<void> {
    this.streams.close();
    await this.#parts.residents.close();
    await this.#parts.embeddings.close();
    await this.shard.close();
    await this.journal.close();
  }

  /** What other nodes appended reaches this one also when nobody asks. */
  #poll(world: World, afterMs = POLL_MS): void {
    const happened = world.trace.length;
    this.clock.after(world.calm ? CALM_POLL_MS : afterMs, () => {
      this.shard.refresh().catch(() => {});
      if (world.recreated.size > 0) this.catalog.refresh().catch(() => {});
      for (const stream of this.streams.all()) {
        const patient = this.#parts.random.float() < 0.5;
        stream.advance({ patient }).catch(() => {});
      }
      this.#poll(world, world.trace.length === happened ? Math.min(afterMs * 2, MAX_POLL_MS) : POLL_MS);
    });
  }
}

/** Room for the rows of every table, of about one, or of none. */
function residentsOf(clock: Clock, random: Random): ResidentTables {
  const maxResidentBytes = random.float() < 0.6 ? 1_000_000 : random.float() < 0.5 ? 30_000 : 0;
  return new ResidentTables({ clock, logger: silentLogger, settings: { maxResidentBytes } });
}

/** With a grace time that pauses outlast, and little history. */
function collectorOf({ shard, store, tables, clock, streams }: SimNode, random: Random): Collector {
  return new Collector({
    shards: [shard],
    catalog: new ObjectJournal(store, 'catalog'),
    store,
    tables,
    pins: new Pins(store, randomId(random), clock, random),
    clock,
    settings: { graceMs: GRACE_MS, logHistoryMs: random.float() < 0.5 ? 0 : 20_000, catalogEntries: 4 },
    inUse: () => [...streams.all()].flatMap(({ view }) => (view === null ? [] : [view.state])),
  });
}

function portsOf(world: World, life: Life): Omit<Ports, 'journal'> {
  const clock = new ProcessClock(world.clock, life);
  const random = seededRandom(world.nextSeed());
  const faulty = new FaultyObjectStore(world.store, world.clock, seededRandom(world.nextSeed()), world.faults);
  world.stores.push(faulty);
  const direct = storeOf(faulty, life);
  const store = world.plan.retries ? withRetries(direct, { clock, random, attempts: 3 }) : direct;
  return { life, clock, random, store, tables: tablesOf(world.tables, life, () => world.wait(world.clock)) };
}
