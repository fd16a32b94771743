import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, isTailwaterError, randomId, systemRandom, TailwaterError, utf8 } from '../base/index.ts';
import { type ContextAnswer, ContextAssembler, type ContextRequest } from '../context/index.ts';
import { type Appender, type AppendResult, compileSchema, SOURCES_STREAM } from '../ingest/index.ts';
import { ObjectJournal } from '../journal/index.ts';
import type { IcebergCatalog } from '../lakehouse/index.ts';
import { type QueryRequest, type SearchAnswer, Searcher } from '../retrieval/index.ts';
import {
  type Consistency,
  Follower,
  freshnessOf,
  type LiveRecord,
  type LiveStream,
  lookupRow,
  type OpenScan,
  type Pinned,
  Scanner,
  type ScanRequest,
  type SqlAnswer,
  type SqlRequest,
  SqlRunner,
  type StreamPage,
  StreamReader,
  tokenOf,
} from '../snapshot/index.ts';
import { nodeFileSystem } from '../storage/index.ts';
import {
  encodeToken,
  normaliseSettings,
  type StreamChanges,
  type StreamDefinition,
  type StreamSettings,
} from '../streams/index.ts';
import type { AppendAnswer, AppendOptions, Health, SourceProgress, StreamInfo, TableInfo, TagInfo, TagOptions } from './api.ts';
import { collectedTables } from './collect/collected-tables.ts';
import { Collections } from './collect/collections.ts';
import { type CollectOptions, Collector } from './collect/collector.ts';
import type { CollectionReport } from './collect/report.ts';
import { CompactionProcess, type CompactionRunner } from './compaction-process.ts';
import { Compactions } from './compactions.ts';
import { composeFeatures } from './compose-features.ts';
import { EngineContexts } from './contexts-api.ts';
import { closeDataFolder, type OpenFolder, openDataFolder } from './data-folder.ts';
import { Cluster } from './deployment/cluster.ts';
import { LeaseClaims } from './deployment/compaction-claims.ts';
import { NodeRedis } from './deployment/redis/redis.ts';
import { requestStats } from './deployment/request-stats.ts';
import { openS3Deployment } from './deployment/s3-deployment.ts';
import type { Documents } from './documents/documents.ts';
import type { EngineFeatures } from './engine-features.ts';
import { EngineLive } from './engine-live.ts';
import { learnStreams, openParts, type Parts } from './engine-parts.ts';
import type { AppendInput, EngineFollowOptions, EngineLike, EngineReadOptions, EngineRow } from './engine-types.ts';
import { wholeWrites } from './engine-writes.ts';
import { icebergCatalog } from './iceberg-catalog.ts';
import { InlineCompaction } from './inline-compaction.ts';
import { LocalRates } from './limits/local-rates.ts';
import type { RateLimiter } from './limits/rates.ts';
import { type ComponentStats, Metrics } from './metrics.ts';
import { type Role, requireRole } from './roles.ts';
import { type EngineOptions, settingsOf } from './settings.ts';
import type { Steps } from './steps/steps.ts';
import { streamInfo } from './stream-info.ts';
import { tableDatasets } from './table-datasets.ts';
import { Tagging } from './tagging.ts';
import { TailBound } from './tail-bound.ts';

const DEFAULT_PAGE_RECORDS = 100;
const DEADLINE_MS = 10_000;

/** A node on one data folder, or one of the nodes of a deployment on S3: every layer composed, every face served from here. Answers carry records as their bytes. */
export class Engine implements EngineLike {
  readonly iceberg: IcebergCatalog;
  readonly documents: Documents;
  readonly steps: Steps;
  readonly features: EngineFeatures;
  readonly live: EngineLive;
  readonly rates: RateLimiter;
  readonly #parts: Parts;
  readonly #clock: Clock;
  readonly #appender: Appender;
  readonly contexts: EngineContexts;
  readonly keys: Parts['keys'];
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
  /** Null on a folder, which is this process's alone. */
  readonly #cluster: Cluster | null;
  readonly #redis: NodeRedis | null;
  readonly #openedAtMs: number;
  #closing: Promise<void> | null = null;

  private constructor(parts: Parts) {
    const { settings, catalog, streams, residents, pinner, embeddings } = parts;
    const { tokenizer, clock } = settings;
    this.#parts = parts;
    this.#clock = clock;
    this.iceberg = icebergCatalog(parts, incarnation => this.#cluster?.tableAdvanced(incarnation));
    const find = this.find.bind(this);
    const onChange = (): void => this.#cluster?.catalogChanged();
    this.features = composeFeatures(parts, { find, tagging: () => this.#tagging, onChange });
    this.#openedAtMs = settings.clock.nowMs();
    this.#appender = parts.appender;
    const onSearch = (definition: StreamDefinition): void => residents.searched(streams.require(definition));
    this.#searcher = new Searcher({ pinner, embeddings, clock, onSearch });
    const assembler = { catalog, features: parts.features, pinner, searcher: this.#searcher, clock };
    const learn = (): Promise<void> => learnStreams(parts);
    this.#contexts = new ContextAssembler({ ...assembler, learnStreams: learn, ...(tokenizer && { tokenizer }) });
    this.contexts = new EngineContexts(parts.contexts, request => this.context(request));
    this.keys = parts.keys;
    this.#reader = new StreamReader(pinner, settings.clock);
    this.#follower = new Follower(streams, pinner, settings.clock);
    const live = { searcher: this.#searcher, follower: this.#follower, contexts: this.#contexts, streams, settings };
    this.live = new EngineLive({ ...live, find, check: () => this.#require('retrieve') });
    this.#scanner = new Scanner({ streams, pinner, pins: parts.pins, embeddings, clock: settings.clock });
    this.#sql = new SqlRunner({
      scanner: this.#scanner,
      pinner,
      definitions: () => catalog.list(),
      clock: settings.clock,
      settings: settings.sql,
      fs: nodeFileSystem,
      folder: join(tmpdir(), `tailwater-sql-${randomId(systemRandom)}`),
    });
    ({ documents: this.documents, steps: this.steps } = this.#startWrites());
    const runner = this.#runner();
    const claims = parts.folder.shared ? new LeaseClaims(parts.folder.store, randomId(settings.random), this.#clock) : null;
    const onUpkeep = (incarnation: string): void => this.#cluster?.tableAdvanced(incarnation);
    this.#redis = settings.redis === null ? null : new NodeRedis(settings.redis, settings);
    this.rates = this.#redis?.rates ?? new LocalRates(this.#clock);
    const openQueue = this.#redis?.openQueue.bind(this.#redis);
    this.#compactions = new Compactions(streams, runner, settings, { claims, onUpkeep, ...(openQueue && { openQueue }) });
    this.#collections = this.#startCollections(runner);
    this.#tagging = this.#startTagging();
    this.#bound = new TailBound(streams, settings);
    this.#metrics = new Metrics(() => this.#stats());
    this.#cluster = parts.folder.shared ? this.#startCluster() : null;
  }

  /**
   * Throws TW_FOLDER_IN_USE, TW_FORMAT_TOO_NEW, TW_DATA_DAMAGED. Nothing is half open afterwards. Over anything but a data folder,
   * `compactionHost` must be `inline`: a compaction process opens the folder itself.
   */
  static async open(options: EngineOptions, openFolder: OpenFolder = openDataFolder): Promise<Engine> {
    const settings = settingsOf(options);
    const { random, logger } = settings;
    const onTorn = (facts: object): void => logger.warn(facts, 'The log ended in a torn write; it was cut and kept');
    const { storage } = settings;
    const folder =
      storage === null ? await openFolder(settings.dataDir, random, onTorn) : await openS3Deployment(storage, random);
    try {
      return new Engine(await openParts(settings, folder));
    } catch (error) {
      await closeDataFolder(folder);
      throw error;
    }
  }

  async createStream(name: string, settings: StreamSettings): Promise<StreamInfo> {
    this.#require('ingest');
    const { schema, embed } = normaliseSettings(settings);
    if (schema !== null) compileSchema(schema);
    if (embed !== null) this.#parts.embedders.of(embed);
    const { definition } = await this.#parts.catalog.create(name, settings);
    return this.#info(definition);
  }

  definition(name: string): StreamDefinition {
    return this.#parts.catalog.require(name);
  }

  /** As `definition`, also of a stream that another node has just created. */
  async find(name: string): Promise<StreamDefinition> {
    const { catalog, shard, streams, folder } = this.#parts;
    const known = catalog.get(name);
    if (!folder.shared || (known !== undefined && streams.get(known.incarnation) !== undefined)) return this.definition(name);
    await catalog.refresh();
    const definition = catalog.require(name);
    if (streams.get(definition.incarnation) === undefined) await shard.refresh();
    return definition;
  }

  async getStream(name: string): Promise<StreamInfo> {
    return this.#info(await this.find(name));
  }

  async listStreams(): Promise<StreamInfo[]> {
    await learnStreams(this.#parts);
    return Promise.all(this.#parts.catalog.list().map(definition => this.#info(definition)));
  }

  async changeStream(name: string, changes: StreamChanges): Promise<StreamInfo> {
    this.#require('ingest');
    const { catalog, features } = this.#parts;
    const changed = await features.changingSource(check => catalog.change(name, changes, check));
    this.#cluster?.catalogChanged();
    return this.#info(changed);
  }

  async deleteStream(name: string): Promise<void> {
    this.#require('ingest');
    const definition = await this.#parts.catalog.delete(name);
    const letters = this.#parts.catalog.get(`${definition.name}.dlq`);
    if (letters) await this.#parts.catalog.delete(letters.name);
  }

  async append(name: string, input: AppendInput, options: AppendOptions = {}): Promise<AppendAnswer> {
    if (this.#closing !== null) throw new TailwaterError('TW_CLOSED');
    this.#require('ingest');
    const definition = await this.find(name);
    const { position, accepted, partitions, rejected } = await this.#appendTo(definition, input, options);
    return { token: encodeToken(position), accepted, partitions, rejected };
  }

  async #appendTo(definition: StreamDefinition, input: AppendInput, options: AppendOptions): Promise<AppendResult> {
    const { catalog, folder } = this.#parts;
    await this.#admit(definition);
    try {
      return await this.#appender.append(definition, input, options);
    } catch (error) {
      if (!folder.shared || !isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw error;
      // Another node may have deleted it and created one of the same name.
      await catalog.refresh();
      const now = await this.find(definition.name);
      if (now.incarnation === definition.incarnation) throw error;
      return this.#appender.append(now, input, options);
    }
  }

  async read(name: string, options: EngineReadOptions): Promise<StreamPage> {
    this.#require('retrieve');
    const { partition = 0, from = { kind: 'earliest' }, limit = DEFAULT_PAGE_RECORDS, consistency } = options;
    return this.#reader.page(await this.find(name), { partition, from, limit, ...(consistency && { consistency }) });
  }

  follow(name: string, options: EngineFollowOptions): AsyncIterable<LiveRecord> {
    this.#require('retrieve');
    return this.#follower.follow(this.definition(name), { ...options, from: options.from ?? { kind: 'latest' } });
  }

  async query(name: string, request: QueryRequest, signal?: AbortSignal): Promise<SearchAnswer> {
    this.#require('retrieve');
    return this.#searcher.search(await this.find(name), request, signal);
  }

  async context(request: ContextRequest): Promise<ContextAnswer> {
    if (this.#closing !== null) throw new TailwaterError('TW_CLOSED');
    this.#require('retrieve');
    return this.#contexts.assemble(request);
  }

  async scan(name: string, request: ScanRequest, signal?: AbortSignal): Promise<OpenScan> {
    this.#require('retrieve');
    return this.#scanner.scan(await this.find(name), request, signal);
  }

  async sql(request: SqlRequest, signal?: AbortSignal, mayRead?: (stream: string) => boolean): Promise<SqlAnswer> {
    this.#require('retrieve');
    if (this.#parts.folder.shared) await this.#parts.catalog.refresh();
    return this.#sql.run(request, signal, mayRead);
  }

  async getRow(name: string, key: Uint8Array, consistency?: Consistency): Promise<EngineRow> {
    this.#require('retrieve');
    const definition = await this.find(name);
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

  async deleteRow(name: string, key: Uint8Array): Promise<AppendAnswer> {
    const definition = await this.find(name);
    if (definition.kind !== 'upsert') {
      throw new TailwaterError('TW_NOT_UPSERT', { detail: `Stream "${name}" is of kind "append": rows cannot be deleted.` });
    }
    return this.append(name, { records: [{ key: { base64: Buffer.from(key).toString('base64') }, value: null }] });
  }

  async compact(name: string, options: { full?: boolean } = {}): Promise<TableInfo> {
    this.#require('work');
    const { shard, streams } = this.#parts;
    const definition = await this.find(name);
    await shard.refresh();
    await this.#compactions.compact(streams.require(definition), shard.seq, options.full ?? false);
    return this.getTable(name);
  }

  async getTable(name: string): Promise<TableInfo> {
    const definition = await this.find(name);
    const pinned = await this.#pin(definition);
    const state = this.#parts.streams.require(definition).newestState;
    const datasets = state === null ? null : tableDatasets(this.#parts.folder.places, state);
    const running = this.#compactions.running(definition.incarnation);
    return { stream: name, state, datasets, running, token: tokenOf(pinned) };
  }

  async createTag(name: string, tag: string, { asOf }: TagOptions = {}): Promise<TagInfo> {
    this.#require('work');
    return this.#tagging.create(await this.find(name), tag, asOf);
  }

  async listTags(name: string): Promise<TagInfo[]> {
    return this.#tagging.list(await this.find(name));
  }

  async deleteTag(name: string, tag: string): Promise<void> {
    await this.#tagging.delete(await this.find(name), tag);
  }

  async health(): Promise<Health> {
    const problems: string[] = [];
    const failure = this.#compactions.lastFailure;
    if (failure !== null) problems.push(`The last compaction failed: ${failure}`);
    problems.push(...this.#parts.embeddings.problems());
    const warnings = this.#redis?.warnings() ?? [];
    return {
      status: problems.length === 0 ? 'ok' : 'degraded',
      problems,
      ...(warnings.length > 0 && { warnings }),
      streams: this.#parts.catalog.list().length,
      uptimeMs: this.#clock.nowMs() - this.#openedAtMs,
    };
  }

  async collect(options: Omit<CollectOptions, 'signal'> = {}): Promise<CollectionReport> {
    this.#require('work');
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
    await this.#cluster?.close();
    await this.features.close();
    streams.close();
    await residents.close();
    await embeddings.close();
    await this.#collections.close();
    await this.#compactions.close();
    this.#redis?.close();
    await this.#sql.close();
    await shard.close();
    this.#metrics.close();
    await closeDataFolder(folder);
  }

  #require(role: Role): void {
    requireRole(this.#parts.settings.roles, role);
  }

  #pin(definition: StreamDefinition, consistency?: Consistency): Promise<Pinned> {
    return this.#parts.pinner.pin(definition, consistency, this.#clock.nowMs() + DEADLINE_MS);
  }

  async #info(definition: StreamDefinition): Promise<StreamInfo> {
    return streamInfo(await this.#pin(definition), this.#parts.streams.require(definition));
  }

  async #admit(definition: StreamDefinition): Promise<void> {
    if (this.#closing !== null) throw new TailwaterError('TW_CLOSED');
    this.#require('ingest');
    this.#bound.admit(definition.incarnation);
    await this.#parts.embeddings.room(definition);
  }

  #startWrites(): { documents: Documents; steps: Steps } {
    return wholeWrites({
      definition: name => this.definition(name),
      find: name => this.find(name),
      pin: (definition, consistency) => this.#pin(definition, consistency),
      admit: definition => this.#admit(definition),
      appender: this.#appender,
      scanner: this.#scanner,
      clock: this.#clock,
    });
  }

  #runner(): CompactionRunner {
    const { settings, folder, streams, log, embedders } = this.#parts;
    const onAdvanced = (incarnation: string) => {
      this.#compactions.committed(incarnation);
      this.#cluster?.tableAdvanced(incarnation);
      streams
        .get(incarnation)
        ?.advance({ patient: true })
        .catch(error => settings.logger.error({ error: String(error) }, 'A new table state could not be opened'));
    };
    const computedVectorsFor = embedders.computedVectorsFor.bind(embedders);
    if (settings.compactionHost === 'process') {
      const { storage, dataDir } = settings;
      const choice = storage === null ? ({ kind: 'folder', dataDir } as const) : ({ kind: 's3', storage } as const);
      return new CompactionProcess(choice, settings.compactionThreads, settings.logger, {
        onAdvanced,
        computedVectorsFor,
        onRequests: counts => folder.requests?.add(counts),
      });
    }
    const { store, tables } = folder;
    const { clock, random, logger } = settings;
    return new InlineCompaction(
      {
        ...{ store, tables, log, clock, random, logger, computedVectorsFor },
        vectorsFor: embedders.vectorsFor.bind(embedders),
        ...(folder.compaction && { settings: folder.compaction }),
      },
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
      tables: collectedTables(tables, { prune: (definition, keep) => runner.prune(definition, keep) }),
      pins,
      clock,
      logger,
      settings: collection,
      inUse: () => [...streams.all()].flatMap(({ view }) => (view === null ? [] : [view.state])),
    });
    const compactHolders = (): void => this.#compactions.compactHolders(collection.maxFloorLagMs, collection.maxFloorLagBytes);
    const intervalMs = collection.auto && settings.roles.includes('work') ? collection.intervalMs : null;
    const activity = (): string => `${shard.seq} ${streams.statesSeen()}`;
    return new Collections({ collector, compactHolders, clock, logger, intervalMs, activity, idleMs: collection.idleMs });
  }

  #startTagging(): Tagging {
    const { settings, streams, pinner, pins, folder } = this.#parts;
    const compact = (stream: LiveStream, segment: number): Promise<void> => this.#compactions.compact(stream, segment, false);
    return new Tagging({ ...settings, streams, pinner, pins, compact, places: folder.places });
  }

  #startCluster(): Cluster {
    const { settings, shard, catalog, streams, pinner } = this.#parts;
    const { clock, logger, cluster } = settings;
    const features = { look: () => this.features.look() };
    const parts = { shard, catalog, streams, pinner, features, clock, logger, settings: cluster };
    return new Cluster({ ...parts, hints: settings.hints ?? this.#redis?.hints ?? null });
  }

  #stats(): ComponentStats[] {
    const { shard, embedders, residents, folder, settings } = this.#parts;
    return [
      { component: 'log', stats: shard.stats() },
      ...this.#bound.stats(),
      { component: 'rate_limits', stats: this.rates.stats() },
      { component: 'compaction', stats: this.#compactions.stats() },
      ...this.#compactions.runningStats(),
      { component: 'embedding', stats: embedders.stats() },
      { component: 'resident', stats: residents.stats() },
      { component: 'sql', stats: this.#sql.stats() },
      ...this.live.stats(),
      ...this.features.stats(),
      ...this.#collections.stats(),
      ...(this.#cluster?.stats() ?? []),
      ...(this.#redis?.stats() ?? []),
      ...(folder.requests === undefined ? [] : requestStats(folder.requests, settings.requestPrices)),
      ...(folder.cache === undefined ? [] : [{ component: 'object_cache', stats: folder.cache.stats() }]),
    ];
  }
}
