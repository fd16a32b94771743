import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, randomId, systemRandom, TailwaterError, utf8 } from '../base/index.ts';
import { type ContextAnswer, ContextAssembler, ContextDefinitions, type ContextRequest } from '../context/index.ts';
import { AnswerLog, Datasets, FeatureEngine } from '../features/index.ts';
import { Appender, compileSchema, SOURCES_STREAM } from '../ingest/index.ts';
import { ObjectJournal, Pins } from '../journal/index.ts';
import type { IcebergCatalog } from '../lakehouse/index.ts';
import { type QueryRequest, type SearchAnswer, Searcher } from '../retrieval/index.ts';
import {
  type Consistency,
  Embedders,
  Follower,
  freshnessOf,
  type LiveRecord,
  type LiveStream,
  LiveStreams,
  lookupRow,
  type OpenScan,
  PastCuts,
  type Pinned,
  Pinner,
  ResidentTables,
  Scanner,
  type ScanRequest,
  type SqlAnswer,
  type SqlRequest,
  SqlRunner,
  type StreamPage,
  StreamReader,
  TailEmbeddings,
  tokenOf,
} from '../snapshot/index.ts';
import { nodeFileSystem } from '../storage/index.ts';
import {
  Catalog,
  encodeToken,
  LogReader,
  LogShard,
  normaliseSettings,
  type StreamChanges,
  type StreamDefinition,
  type StreamSettings,
} from '../streams/index.ts';
import type { AppendAnswer, AppendOptions, Health, SourceProgress, StreamInfo, TableInfo, TagInfo, TagOptions } from './api.ts';
import { Collections } from './collect/collections.ts';
import { type CollectOptions, Collector } from './collect/collector.ts';
import type { CollectionReport } from './collect/report.ts';
import { CompactionProcess, type CompactionRunner } from './compaction-process.ts';
import { Compactions } from './compactions.ts';
import { EngineContexts } from './contexts-api.ts';
import { closeDataFolder, type DataFolder, type OpenFolder, openDataFolder, pathsOf, SHARD } from './data-folder.ts';
import { Documents } from './documents/documents.ts';
import { EngineFeatures } from './engine-features.ts';
import type { AppendInput, EngineFollowOptions, EngineLike, EngineReadOptions, EngineRow } from './engine-types.ts';
import { icebergCatalog } from './iceberg-catalog.ts';
import { InlineCompaction } from './inline-compaction.ts';
import { type ComponentStats, Metrics } from './metrics.ts';
import { type EngineOptions, type EngineSettings, settingsOf } from './settings.ts';
import { streamInfo } from './stream-info.ts';
import { tableDatasets } from './table-datasets.ts';
import { Tagging } from './tagging.ts';
import { TailBound } from './tail-bound.ts';

const DEFAULT_PAGE_RECORDS = 100;
const DEADLINE_MS = 10_000;
const MAX_STREAMS_IN_METRICS = 1000;

interface Parts {
  settings: EngineSettings;
  folder: DataFolder;
  shard: LogShard;
  catalog: Catalog;
  streams: LiveStreams;
  residents: ResidentTables;
  embedders: Embedders;
  embeddings: TailEmbeddings;
  pinner: Pinner;
  log: LogReader;
  pins: Pins;
  appender: Appender;
  features: FeatureEngine;
  datasets: Datasets;
  answers: AnswerLog;
}

/** A node on one data folder: every layer composed, every face served from here. Answers carry records as their bytes. */
export class Engine implements EngineLike {
  readonly iceberg: IcebergCatalog;
  readonly documents: Documents;
  readonly features: EngineFeatures;
  readonly #parts: Parts;
  readonly #clock: Clock;
  readonly #appender: Appender;
  readonly contexts: EngineContexts;
  readonly #contexts: ContextAssembler;
  readonly #searcher: Searcher;
  readonly #reader: StreamReader;
  readonly #follower: Follower;
  readonly #scanner: Scanner;
  readonly #sql: SqlRunner;
  readonly #compactions: Compactions;
  readonly #collections: Collections;
  readonly #tagging: Tagging;
  readonly #bound: TailBound;
  readonly #metrics: Metrics;
  readonly #openedAtMs: number;
  #closing: Promise<void> | null = null;

  private constructor(parts: Parts) {
    const { settings, catalog, streams, residents, pinner, embeddings } = parts;
    this.#parts = parts;
    this.#clock = settings.clock;
    this.iceberg = icebergCatalog(parts);
    this.features = new EngineFeatures({ engine: parts.features, datasets: parts.datasets, answers: parts.answers });
    this.#openedAtMs = settings.clock.nowMs();
    this.#appender = parts.appender;
    this.#searcher = new Searcher({
      pinner,
      embeddings,
      clock: settings.clock,
      onSearch: definition => residents.searched(streams.require(definition)),
    });
    const { tokenizer, clock, random } = settings;
    const assembler = { catalog, features: parts.features, pinner, searcher: this.#searcher, clock };
    this.#contexts = new ContextAssembler({ ...assembler, ...(tokenizer && { tokenizer }) });
    const definitions = new ContextDefinitions(parts.folder.store, clock, random);
    this.contexts = new EngineContexts(definitions, request => this.context(request));
    this.#reader = new StreamReader(pinner, settings.clock);
    this.#follower = new Follower(streams, pinner, settings.clock);
    this.#scanner = new Scanner({ streams, pinner, pins: parts.pins, clock: settings.clock });
    this.#sql = new SqlRunner({
      scanner: this.#scanner,
      pinner,
      definitions: () => catalog.list(),
      clock: settings.clock,
      settings: settings.sql,
      fs: nodeFileSystem,
      folder: join(tmpdir(), `tailwater-sql-${randomId(systemRandom)}`),
    });
    this.documents = this.#startDocuments();
    const runner = this.#runner();
    this.#compactions = new Compactions(streams, runner, settings);
    this.#collections = this.#startCollections(runner);
    this.#tagging = this.#startTagging();
    this.#bound = new TailBound(streams, settings.maxTailRows, settings.maxTailBytes);
    this.#metrics = new Metrics(() => this.#stats());
  }

  /**
   * Throws TW_FOLDER_IN_USE, TW_FORMAT_TOO_NEW, TW_DATA_DAMAGED. Nothing is half open afterwards. Over anything but a data folder,
   * `compactionHost` must be `inline`: a compaction process opens the folder itself.
   */
  static async open(options: EngineOptions, openFolder: OpenFolder = openDataFolder): Promise<Engine> {
    const settings = settingsOf(options);
    const { clock, random, logger } = settings;
    const folder = await openFolder(settings.dataDir, random, facts =>
      logger.warn(facts, 'The log ended in a torn write; it was cut and kept'),
    );
    try {
      const { journal, store, tables } = folder;
      const shard = await LogShard.open({ journal, shard: SHARD, clock, random, logger, lingerMs: settings.lingerMs });
      const catalog = await Catalog.open({ journal: new ObjectJournal(store, 'catalog'), shards: [shard], clock, random });
      const appender = new Appender({ catalog, clock });
      const log = new LogReader(journal);
      const residents = new ResidentTables({ clock, logger, settings });
      const streams = await LiveStreams.open({ catalog, shard, shardNumber: SHARD, log, store, tables, residents });
      const embedders = new Embedders({ store, clock, random, secrets: settings.secrets });
      const embeddings = new TailEmbeddings({ streams, embedders, clock, logger });
      const past = new PastCuts(log, embeddings);
      const pinner = new Pinner({ streams, log, past, clock, fallback: { kind: 'strong' } });
      const features = await FeatureEngine.open({ store, catalog, streams, pinner, clock, random, logger });
      const datasets = new Datasets({ engine: features, store, clock, random });
      const answers = await AnswerLog.open({
        store,
        random,
        logger,
        createStream: stream => createAnswers(catalog, stream),
        append: (stream, records) => appender.append(catalog.require(stream), { records }),
      });
      const pins = new Pins(store, randomId(random), clock, random);
      const parts = {
        settings,
        folder,
        shard,
        catalog,
        streams,
        residents,
        embedders,
        embeddings,
        pinner,
        log,
        features,
        datasets,
        answers,
        appender,
        pins,
      };
      return new Engine(parts);
    } catch (error) {
      await closeDataFolder(folder);
      throw error;
    }
  }

  async createStream(name: string, settings: StreamSettings): Promise<StreamInfo> {
    const { schema, embed } = normaliseSettings(settings);
    if (schema !== null) compileSchema(schema);
    if (embed !== null) this.#parts.embedders.of(embed);
    const { definition } = await this.#parts.catalog.create(name, settings);
    return this.#info(definition);
  }

  definition(name: string): StreamDefinition {
    return this.#parts.catalog.require(name);
  }

  getStream(name: string): Promise<StreamInfo> {
    return this.#info(this.definition(name));
  }

  listStreams(): Promise<StreamInfo[]> {
    return Promise.all(this.#parts.catalog.list().map(definition => this.#info(definition)));
  }

  async changeStream(name: string, changes: StreamChanges): Promise<StreamInfo> {
    const { catalog, features } = this.#parts;
    return this.#info(await features.changingSource(check => catalog.change(name, changes, check)));
  }

  async deleteStream(name: string): Promise<void> {
    const definition = await this.#parts.catalog.delete(name);
    const letters = this.#parts.catalog.get(`${definition.name}.dlq`);
    if (letters) await this.#parts.catalog.delete(letters.name);
  }

  async append(name: string, input: AppendInput, options: AppendOptions = {}): Promise<AppendAnswer> {
    const definition = this.definition(name);
    await this.#admit(definition);
    const { position, accepted, partitions, rejected } = await this.#appender.append(definition, input, options);
    return { token: encodeToken(position), accepted, partitions, rejected };
  }

  read(name: string, options: EngineReadOptions): Promise<StreamPage> {
    const { partition = 0, from = { kind: 'earliest' }, limit = DEFAULT_PAGE_RECORDS, consistency } = options;
    return this.#reader.page(this.definition(name), { partition, from, limit, ...(consistency && { consistency }) });
  }

  follow(name: string, options: EngineFollowOptions): AsyncIterable<LiveRecord> {
    return this.#follower.follow(this.definition(name), { ...options, from: options.from ?? { kind: 'latest' } });
  }

  query(name: string, request: QueryRequest, signal?: AbortSignal): Promise<SearchAnswer> {
    return this.#searcher.search(this.definition(name), request, signal);
  }

  async context(request: ContextRequest): Promise<ContextAnswer> {
    if (this.#closing !== null) throw new TailwaterError('TW_CLOSED');
    return this.#contexts.assemble(request);
  }

  scan(name: string, request: ScanRequest, signal?: AbortSignal): Promise<OpenScan> {
    return this.#scanner.scan(this.definition(name), request, signal);
  }

  sql(request: SqlRequest, signal?: AbortSignal): Promise<SqlAnswer> {
    return this.#sql.run(request, signal);
  }

  async getRow(name: string, key: Uint8Array, consistency?: Consistency): Promise<EngineRow> {
    const definition = this.definition(name);
    if (definition.kind !== 'upsert') {
      throw new TailwaterError('TW_NOT_UPSERT', {
        detail: `Stream "${name}" is of kind "append": it has records, not rows by key.`,
      });
    }
    const pinned = await this.#pin(definition, consistency);
    const row = await lookupRow(pinned, key);
    if (row === null) throw new TailwaterError('TW_ROW_NOT_FOUND', { detail: `Stream "${name}" has no row with this key.` });
    return { ...row, freshness: freshnessOf(pinned, this.#clock.nowMs()), token: tokenOf(pinned) };
  }

  deleteRow(name: string, key: Uint8Array): Promise<AppendAnswer> {
    const definition = this.definition(name);
    if (definition.kind !== 'upsert') {
      return Promise.reject(
        new TailwaterError('TW_NOT_UPSERT', { detail: `Stream "${name}" is of kind "append": rows cannot be deleted.` }),
      );
    }
    return this.append(name, { records: [{ key: { base64: Buffer.from(key).toString('base64') }, value: null }] });
  }

  async compact(name: string, options: { full?: boolean } = {}): Promise<TableInfo> {
    const { shard, streams } = this.#parts;
    const definition = this.definition(name);
    await shard.refresh();
    await this.#compactions.compact(streams.require(definition), shard.seq, options.full ?? false);
    return this.getTable(name);
  }

  async getTable(name: string): Promise<TableInfo> {
    const definition = this.definition(name);
    const pinned = await this.#pin(definition);
    const state = this.#parts.streams.require(definition).newestState;
    const datasets = state === null ? null : tableDatasets(pathsOf(this.#parts.settings.dataDir), state);
    const running = this.#compactions.running(definition.incarnation);
    return { stream: name, state, datasets, running, token: tokenOf(pinned) };
  }

  async createTag(name: string, tag: string, { asOf }: TagOptions = {}): Promise<TagInfo> {
    return this.#tagging.create(this.definition(name), tag, asOf);
  }

  async listTags(name: string): Promise<TagInfo[]> {
    return this.#tagging.list(this.definition(name));
  }

  async deleteTag(name: string, tag: string): Promise<void> {
    await this.#tagging.delete(this.definition(name), tag);
  }

  async health(): Promise<Health> {
    const problems: string[] = [];
    const failure = this.#compactions.lastFailure;
    if (failure !== null) problems.push(`The last compaction failed: ${failure}`);
    problems.push(...this.#parts.embeddings.problems());
    return {
      status: problems.length === 0 ? 'ok' : 'degraded',
      problems,
      streams: this.#parts.catalog.list().length,
      uptimeMs: this.#clock.nowMs() - this.#openedAtMs,
    };
  }

  collect(options: Omit<CollectOptions, 'signal'> = {}): Promise<CollectionReport> {
    return this.#collections.run(options);
  }

  metrics(): Promise<string> {
    return this.#metrics.render();
  }

  async sourceProgress(sources: readonly string[]): Promise<SourceProgress[]> {
    const definition = this.#parts.catalog.get(SOURCES_STREAM);
    if (!definition) return [];
    const pinned = await this.#pin(definition);
    const rows = await Promise.all(sources.map(source => lookupRow(pinned, utf8(source))));
    return rows.filter(row => row !== null).map(({ record }) => JSON.parse(Buffer.from(record.value!).toString()));
  }

  /** What was acknowledged is durable; what runs is finished; then the folder is free for others. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { streams, residents, embeddings, shard, folder } = this.#parts;
    await this.features.close();
    streams.close();
    await residents.close();
    await embeddings.close();
    await this.#collections.close();
    await this.#compactions.close();
    await this.#sql.close();
    await shard.close();
    this.#metrics.close();
    await closeDataFolder(folder);
  }

  #pin(definition: StreamDefinition, consistency?: Consistency): Promise<Pinned> {
    return this.#parts.pinner.pin(definition, consistency, this.#clock.nowMs() + DEADLINE_MS);
  }

  async #info(definition: StreamDefinition): Promise<StreamInfo> {
    return streamInfo(await this.#pin(definition), this.#parts.streams.require(definition));
  }

  async #admit(definition: StreamDefinition): Promise<void> {
    if (this.#closing !== null) throw new TailwaterError('TW_CLOSED');
    this.#bound.admit(definition.incarnation);
    await this.#parts.embeddings.room(definition);
  }

  #startDocuments(): Documents {
    return new Documents({
      definition: name => this.definition(name),
      pin: (definition, consistency) => this.#pin(definition, consistency),
      append: async (definition, records, guard) => {
        await this.#admit(definition);
        return this.#appender.appendWhole(definition, records, guard);
      },
      scanner: this.#scanner,
      clock: this.#clock,
    });
  }

  #runner(): CompactionRunner {
    const { settings, folder, streams, log, embedders } = this.#parts;
    const onAdvanced = (incarnation: string) => {
      this.#compactions.committed(incarnation);
      streams
        .get(incarnation)
        ?.advance({ patient: true })
        .catch(error => settings.logger.error({ error: String(error) }, 'A new table state could not be opened'));
    };
    const computedVectorsFor = embedders.computedVectorsFor.bind(embedders);
    if (settings.compactionHost === 'process') {
      return new CompactionProcess(settings.dataDir, settings.compactionThreads, settings.logger, {
        onAdvanced,
        computedVectorsFor,
      });
    }
    const { store, tables } = folder;
    const { clock, random, logger } = settings;
    return new InlineCompaction(
      { store, tables, log, clock, random, logger, vectorsFor: embedders.vectorsFor.bind(embedders), computedVectorsFor },
      onAdvanced,
    );
  }

  #startCollections(runner: CompactionRunner): Collections {
    const { settings, folder, shard, streams, pins } = this.#parts;
    const { store, tables } = folder;
    const { clock, logger, collection } = settings;
    const collector = new Collector({
      shards: [shard],
      catalog: new ObjectJournal(store, 'catalog'),
      store,
      ...(store.temporary && { temporary: store.temporary }),
      tables: {
        prune: (definition, keep) => runner.prune(definition, keep),
        drop: incarnation => tables.drop(incarnation),
        incarnations: () => tables.incarnations(),
      },
      pins,
      clock,
      logger,
      settings: collection,
      inUse: () => [...streams.all()].flatMap(({ view }) => (view === null ? [] : [view.state])),
    });
    const compactHolders = (): void => this.#compactions.compactHolders(collection.maxFloorLagMs, collection.maxFloorLagBytes);
    const intervalMs = collection.auto ? collection.intervalMs : null;
    return new Collections({ collector, compactHolders, clock, logger, intervalMs });
  }

  #startTagging(): Tagging {
    const { settings, streams, pinner, pins } = this.#parts;
    const { clock, random, dataDir } = settings;
    const compact = (stream: LiveStream, segment: number): Promise<void> => this.#compactions.compact(stream, segment, false);
    return new Tagging({ streams, pinner, pins, compact, clock, random, folders: pathsOf(dataDir) });
  }

  #stats(): ComponentStats[] {
    const { shard, embedders, streams, residents } = this.#parts;
    const stats: ComponentStats[] = [
      { component: 'log', stats: shard.stats() },
      { component: 'compaction', stats: this.#compactions.stats() },
      ...this.#compactions.runningStats(),
      { component: 'embedding', stats: embedders.stats() },
      { component: 'resident', stats: residents.stats() },
      { component: 'sql', stats: this.#sql.stats() },
      ...this.#collections.stats(),
    ];
    stats.push(...this.features.stats());
    let shown = 0;
    for (const stream of streams.all()) {
      if (shown++ === MAX_STREAMS_IN_METRICS) break;
      stats.push({ component: 'tail', labels: { stream: stream.definition.name }, stats: stream.tail.stats() });
    }
    return stats;
  }
}

async function createAnswers(catalog: Catalog, stream: string): Promise<void> {
  if (catalog.get(stream) === undefined) await catalog.create(stream, { kind: 'append' });
}
