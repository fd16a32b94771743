import { randomId } from '../base/index.ts';
import { ContextDefinitions } from '../context/index.ts';
import { AnswerLog, FeatureEngine } from '../features/index.ts';
import { Appender } from '../ingest/index.ts';
import { ObjectJournal, Pins } from '../journal/index.ts';
import { Embedders, LiveStreams, PastCuts, Pinner, ResidentTables, TailEmbeddings } from '../snapshot/index.ts';
import { Catalog, LogReader, LogShard } from '../streams/index.ts';
import { AccessKeys } from './access/access-keys.ts';
import { type DataFolder, SHARD } from './data-folder.ts';
import type { EngineSettings } from './settings.ts';

/** The layers of a node, opened one on the other. */
export interface Parts {
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
  answers: AnswerLog;
  contexts: ContextDefinitions;
  keys: AccessKeys;
}

/** Opens what a node is made of, over a folder that is open already. What it throws leaves nothing but that to close. */
/** Where other nodes create streams, too: what they have created by now. */
export async function learnStreams({ catalog, shard, folder }: Pick<Parts, 'catalog' | 'shard' | 'folder'>): Promise<void> {
  if (!folder.shared) return;
  await catalog.refresh();
  await shard.refresh();
}

export async function openParts(settings: EngineSettings, folder: DataFolder): Promise<Parts> {
  const { clock, random, logger } = settings;
  const { journal, store, tables } = folder;
  const { lingerMs, maxLingerMs, maxSegmentBytes, maxStalenessMs } = settings;
  const limits = { lingerMs, maxLingerMs, maxSegmentBytes };
  const shard = await LogShard.open({ journal, shard: SHARD, clock, random, logger, ...limits });
  const catalog = await Catalog.open({ journal: new ObjectJournal(store, 'catalog'), shards: [shard], clock, random });
  const appender = new Appender({ catalog, clock });
  const log = new LogReader(journal);
  const residents = new ResidentTables({ clock, logger, settings });
  const streams = await LiveStreams.open({ catalog, shard, shardNumber: SHARD, log, store, tables, residents });
  const embedders = new Embedders({ store, clock, random, secrets: settings.secrets });
  const embeddings = new TailEmbeddings({ streams, embedders, clock, logger });
  const past = new PastCuts(log, embeddings);
  const fallback = maxStalenessMs === 0 ? ({ kind: 'strong' } as const) : ({ kind: 'max-staleness', maxStalenessMs } as const);
  const pinner = new Pinner({ streams, log, past, clock, fallback });
  const features = await FeatureEngine.open({
    store,
    catalog,
    streams,
    pinner,
    clock,
    random,
    logger,
    shared: folder.shared,
  });
  const answers = await AnswerLog.open({
    store,
    random,
    logger,
    createStream: stream => createAnswers(catalog, stream, settings.answersRetentionMs),
    append: (stream, records) => appender.append(catalog.require(stream), { records }),
  });
  const pins = new Pins(store, randomId(random), clock, random);
  return {
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
    answers,
    appender,
    pins,
    contexts: new ContextDefinitions(store, clock, random),
    keys: new AccessKeys(store, clock, random),
  };
}

async function createAnswers(catalog: Catalog, stream: string, retentionMs: number): Promise<void> {
  if (catalog.get(stream) !== undefined) return;
  await catalog.create(stream, { kind: 'append', retention: `PT${retentionMs / 1000}S` });
}
