import { isJsonObject, systemClock, systemRandom, TailwaterError, utf8 } from '../../src/base/index.ts';
import { IcebergCatalog, LocalTableFiles } from '../../src/lakehouse/index.ts';
import { AccessKeys } from '../../src/server/access/access-keys.ts';
import type { AppendAnswer, StreamInfo } from '../../src/server/api.ts';
import { emptyReport } from '../../src/server/collect/report.ts';
import type { AppendInput, EngineFollowOptions, EngineLike } from '../../src/server/engine-types.ts';
import type { FeaturesApi } from '../../src/server/features-api.ts';
import { LocalRates } from '../../src/server/limits/local-rates.ts';
import type { Freshness, LiveRecord } from '../../src/snapshot/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { decodeToken, encodeToken, type StreamDefinition, type StreamRecord } from '../../src/streams/index.ts';

const noView = async (): Promise<never> => {
  throw new TailwaterError('TW_VIEW_NOT_FOUND');
};
const NO_FEATURES: FeaturesApi = {
  apply: noView,
  plan: noView,
  get: noView,
  list: async () => [],
  remove: noView,
  online: noView,
  service: noView,
  historical: noView,
  lint: noView,
  datasets: async () => [],
  dataset: noView,
  rebuild: noView,
  removeDataset: noView,
  logAnswers: noView,
  skew: noView,
  report: noView,
};

const noDocuments = async (): Promise<never> => {
  throw new TailwaterError('TW_NOT_DOCUMENTS');
};
const NO_DOCUMENTS: EngineLike['documents'] = { put: noDocuments, get: noDocuments, remove: noDocuments, list: noDocuments };
const noContext = async (): Promise<never> => {
  throw new TailwaterError('TW_CONTEXT_NOT_FOUND');
};
const NO_CONTEXTS = {
  apply: noContext,
  get: noContext,
  list: async () => [],
  remove: noContext,
  call: noContext,
  request: noContext,
};

/** One append stream in memory, for what a real engine cannot be made to do: fail on demand, hang, lose a reply. Override any method. */
export function fakeEngine(overrides: Partial<EngineLike> = {}): EngineLike & { records: StreamRecord[] } {
  const records: StreamRecord[] = [];
  const waiting = new Set<() => void>();
  const definition = (name: string): StreamDefinition => {
    if (name !== 'events') throw new TailwaterError('TW_STREAM_NOT_FOUND', { detail: `There is no stream "${name}".` });
    return EVENTS;
  };
  const info = (): StreamInfo => ({
    definition: EVENTS,
    earliest: [0],
    head: [records.length - 1],
    watermark: [-1],
    lag: 0,
    rows: 0,
    tailBytes: 0,
    fields: [],
  });
  const page = (from: number, limit: number) => ({
    records: records.slice(from, from + limit),
    next: Math.min(from + limit, records.length),
    freshness: FRESH,
    token: tokenAt(records.length - 1),
  });
  return {
    records,
    features: NO_FEATURES,
    documents: NO_DOCUMENTS,
    contexts: NO_CONTEXTS,
    live: { query: noContext, matches: noContext, context: noContext },
    steps: { step: noDocuments, stepPosition: noDocuments },
    context: noContext,
    rates: new LocalRates(systemClock),
    keys: new AccessKeys(new MemoryObjectStore(), systemClock, systemRandom),
    iceberg: new IcebergCatalog({
      streams: () => [],
      store: new MemoryObjectStore(),
      files: new LocalTableFiles('.'),
      tables: {},
      warehouse: new LocalTableFiles('.'),
      clock: systemClock,
      random: systemRandom,
    }),
    createStream: async () => info(),
    async getStream(name) {
      definition(name);
      return info();
    },
    listStreams: async () => [info()],
    changeStream: async () => info(),
    deleteStream: async name => void definition(name),
    definition,
    find: async name => definition(name),
    async append(name, input): Promise<AppendAnswer> {
      definition(name);
      const values = valuesOf(input);
      const first = records.length;
      for (const value of values) records.push(recordOf(records.length, value));
      for (const wake of waiting) wake();
      const last = records.length - 1;
      return { token: tokenAt(last), accepted: values.length, partitions: [{ partition: 0, first, last }], rejected: [] };
    },
    read: async (name, options) => {
      definition(name);
      const start = options.from?.kind === 'offset' ? options.from.offset : options.from?.kind === 'latest' ? records.length : 0;
      return page(start, options.limit ?? 100);
    },
    follow: (_name, options) => followRecords(records, waiting, options),
    query: async () => ({ hits: [], freshness: FRESH, token: tokenAt(records.length - 1) }),
    sql: async () => ({ columns: [], rows: [], freshness: {}, token: tokenAt(-1) }),
    scan: async () => ({
      fields: [],
      jsonColumns: new Set(),
      freshness: FRESH,
      token: tokenAt(records.length - 1),
      batches: (async function* () {})(),
    }),
    getRow: async () => {
      throw new TailwaterError('TW_NOT_UPSERT');
    },
    deleteRow: async () => {
      throw new TailwaterError('TW_NOT_UPSERT');
    },
    collect: async ({ dryRun = false } = {}) => emptyReport(dryRun),
    compact: async name => ({ stream: name, state: null, datasets: null, running: null, token: tokenAt(-1) }),
    getTable: async name => ({ stream: name, state: null, datasets: null, running: null, token: tokenAt(-1) }),
    createTag: async () => {
      throw new TailwaterError('TW_NOT_TAGGABLE');
    },
    listTags: async () => [],
    deleteTag: async () => {
      throw new TailwaterError('TW_TAG_NOT_FOUND');
    },
    health: async () => ({ status: 'ok', problems: [], streams: 1, uptimeMs: 1 }),
    metrics: async () => '',
    sourceProgress: async () => [],
    close: async () => {},
    ...overrides,
  };
}

const FRESH: Freshness = {
  watermark: [-1],
  head: [-1],
  tailRows: 0,
  newestAgeMs: null,
  asOf: '1970-01-01T00:00:00.000Z',
  skipped: [],
  complete: true,
};

const EVENTS: StreamDefinition = {
  name: 'events',
  incarnation: 'fake',
  kind: 'append',
  key: null,
  time: null,
  schema: null,
  partitions: 1,
  colocate: null,
  embed: null,
  search: null,
  table: { format: 'lance' },
  historyMs: null,
  retentionMs: null,
  createdAtMs: 0,
};

function tokenAt(offset: number): string {
  return encodeToken({
    shards: [{ shard: 0, seq: offset + 1 }],
    streams: [{ incarnation: 'fake', tableState: null, heads: [offset] }],
  });
}

function valuesOf(input: AppendInput): Uint8Array[] {
  if ('ndjson' in input) {
    return Buffer.from(input.ndjson)
      .toString()
      .split('\n')
      .filter(line => line !== '')
      .map(utf8);
  }
  return input.records.map(record => utf8(JSON.stringify(isJsonObject(record) ? record.value : null)));
}

function recordOf(offset: number, value: Uint8Array): StreamRecord {
  return { partition: 0, offset, seq: offset, key: null, timeMs: offset, ingestedAtMs: offset, headers: [], value };
}

async function* followRecords(
  records: StreamRecord[],
  waiting: Set<() => void>,
  options: EngineFollowOptions,
): AsyncGenerator<LiveRecord> {
  const { signal, after, from } = options;
  const resumed = after === undefined ? null : decodeToken(after).streams[0].heads[0];
  let next =
    resumed !== null ? resumed + 1 : from?.kind === 'offset' ? from.offset : from?.kind === 'earliest' ? 0 : records.length;
  while (signal?.aborted !== true) {
    if (next < records.length) yield { record: records[next], token: tokenAt(next++) };
    else await wakened(waiting, signal);
  }
}

function wakened(waiting: Set<() => void>, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const wake = (): void => {
      waiting.delete(wake);
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    waiting.add(wake);
    signal?.addEventListener('abort', wake);
  });
}

/** Fails when its first item is asked for. */
export function failing(error: Error): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
}
