import { LIVE_DEFAULTS } from '../../live/index.ts';
import { RESIDENT_DEFAULTS, SQL_DEFAULTS } from '../../snapshot/index.ts';
import { AWS_REQUEST_PRICES } from '../../storage/index.ts';
import { CLUSTER_DEFAULTS } from '../deployment/cluster.ts';
import { CACHE_DEFAULTS } from '../deployment/s3-deployment.ts';
import { ROLES } from '../roles.ts';
import { ENGINE_DEFAULTS, FOLDER_DEFAULTS, S3_DEFAULTS } from '../settings.ts';
import { TRACE_DEFAULTS } from '../tracing/export.ts';
import type { NumberSetting, Setting, Unit } from './setting.ts';

const KIB = 1024;
const MIB = 1024 ** 2;
const TIB = 1024 ** 4;
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

type Bounds = { unit: Unit | null; min: number; max?: number; default: number | null; s3Default?: number };

function integer(name: string, bounds: Bounds, doc: string): NumberSetting {
  return { ...numeric(name, bounds, doc), kind: 'integer' };
}

function numeric(name: string, { unit, min, max = Number.MAX_SAFE_INTEGER, ...defaults }: Bounds, doc: string): NumberSetting {
  const s3Default =
    defaults.s3Default === undefined || defaults.s3Default === defaults.default ? {} : { s3Default: String(defaults.s3Default) };
  const fallback = defaults.default === null ? null : String(defaults.default);
  return { kind: 'number', name, unit, min, max, default: fallback, ...s3Default, doc };
}

function text(name: string, form: string, pattern: RegExp, doc: string, fallback: string | null = null): Setting {
  return { kind: 'text', name, form, pattern, doc, default: fallback };
}

const bytes = (fallback: number, s3Default?: number, min = 0): Bounds => ({
  unit: 'bytes',
  min,
  max: 1024 * TIB,
  default: fallback,
  ...(s3Default === undefined ? {} : { s3Default }),
});
const ms = (fallback: number, s3Default?: number, min = 0, max = YEAR_MS): Bounds => ({
  unit: 'ms',
  min,
  max,
  default: fallback,
  ...(s3Default === undefined ? {} : { s3Default }),
});
const usd = (fallback: number): Bounds => ({ unit: 'USD per 1,000 requests', min: 0, max: 1000, default: fallback });

const SOME_TEXT = /^[^\p{Cc}]+$/u;
const HTTP_ADDRESS = /^https?:\/\/[^\s/@]+(?:\/[^\s@]*)?$/;

const folder = FOLDER_DEFAULTS;
const s3 = S3_DEFAULTS;

function rateLimits(): Setting[] {
  const whose = 'of one key or, where there are no keys, of one address; together on all nodes that share Redis.';
  const rest = 'More is TW_RATE_LIMITED (429). Health and metrics are not limited.';
  const atOnce = 'that may come at once; without it those of two seconds.';
  return [
    numeric(
      'rateLimits.requestsPerSecond',
      { unit: 'requests', min: 0.001, max: 1e9, default: null },
      `Requests per second ${whose} ${rest}`,
    ),
    integer('rateLimits.requestsBurst', { unit: 'requests', min: 1, max: 1e9, default: null }, `Requests ${atOnce}`),
    integer(
      'rateLimits.bytesPerSecond',
      { unit: 'bytes', min: 1, max: TIB, default: null },
      `Bytes per second of requests that write, ${whose} ${rest}`,
    ),
    integer(
      'rateLimits.bytesBurst',
      { unit: 'bytes', min: 1, max: TIB, default: null },
      `Bytes ${atOnce} A larger request is let in when anything is left, and the next ones wait for it.`,
    ),
  ];
}

const SERVER: readonly Setting[] = [
  {
    ...text(
      'dataDir',
      'a path',
      SOME_TEXT,
      'The folder of this node: with all of its data, or on S3 with its cache only.',
      '.tailwater',
    ),
    flag: '--data',
    env: 'TAILWATER_DATA_DIR',
  },
  text(
    'storage',
    's3://bucket/prefix',
    /^s3:\/\/[^/\s]+\/[^\s]*[^/\s]\/?$/,
    'Keeps everything there instead of the data folder. Any number of nodes may share it; the prefix is the deployment’s own.',
  ),
  {
    kind: 'choices',
    name: 'roles',
    choices: ROLES,
    default: ROLES.join(','),
    doc: 'What the node does: takes writes, answers reads, compacts and collects. A request for another role is TW_ROLE.',
  },
  text(
    'host',
    'a name or an address',
    SOME_TEXT,
    'Where the server listens. What others than this machine can reach needs `adminKey`, or `insecure`.',
    '127.0.0.1',
  ),
  {
    ...text(
      'adminKey',
      'a text of 32 characters or more, without spaces',
      /^[\x21-\x7e]{32,512}$/,
      'With it every request needs a key: this one, which may do everything, or one that its holder made. docs/SECURITY.md.',
    ),
    secret: true,
  },
  text(
    'tls.certFile',
    'a path',
    SOME_TEXT,
    'The server’s certificate chain in PEM: it then speaks HTTPS. Read again when it changes.',
  ),
  text('tls.keyFile', 'a path', SOME_TEXT, 'The private key of `tls.certFile`, in PEM.'),
  {
    kind: 'switch',
    name: 'insecure',
    default: 'false',
    doc: 'Listen beyond this machine without asking anybody for a key: for networks that are trusted themselves.',
  },
  integer('port', { unit: null, min: 0, max: 65_535, default: 8787 }, 'The port of the server; 0 picks a free one.'),
  {
    kind: 'choice',
    name: 'logLevel',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    doc: 'What is logged to stderr.',
  },
  {
    kind: 'switch',
    name: 'logRequests',
    default: 'false',
    doc: 'A line of the log for every request: its id, route, status, time, the name of its key, and its trace.',
  },
  text(
    'traces.endpoint',
    'an http(s) address without credentials',
    HTTP_ADDRESS,
    'Where OpenTelemetry spans of requests go, by OTLP over HTTP, such as http://localhost:4318/v1/traces. Headers: OTEL_EXPORTER_OTLP_HEADERS.',
  ),
  ...rateLimits(),
  numeric(
    'traces.sampleRatio',
    { unit: null, min: 0, max: 1, default: TRACE_DEFAULTS.sampleRatio },
    'The share of traces that begin here and are kept; those that a caller began are kept when the caller keeps them.',
  ),
  text('traces.serviceName', 'a text', SOME_TEXT, 'What the node is called in traces.', TRACE_DEFAULTS.serviceName),
];

const S3: readonly Setting[] = [
  text(
    's3.endpoint',
    'an http(s) address without credentials',
    HTTP_ADDRESS,
    'Of a store like S3; AWS’s own address of the region when it is not given.',
  ),
  text('s3.region', 'the name of a region', SOME_TEXT, 'The region; without it that of AWS_REGION, else us-east-1.'),
  {
    ...text(
      's3.accessKeyId',
      'a text',
      SOME_TEXT,
      'Credentials; without them the AWS SDK looks where it always does (environment, profile, instance role).',
    ),
    secret: true,
  },
  { ...text('s3.secretAccessKey', 'a text', SOME_TEXT, 'Goes with `s3.accessKeyId`.'), secret: true },
  { ...text('s3.sessionToken', 'a text', SOME_TEXT, 'Goes with temporary credentials.'), secret: true },
  {
    kind: 'switch',
    name: 's3.pathStyle',
    default: null,
    doc: 'Bucket in the path instead of the host name. Default: true with an endpoint, else false.',
  },
  {
    kind: 'choice',
    name: 's3.encryption',
    choices: ['bucket', 's3', 'kms'],
    default: 'bucket',
    doc: 'Who encrypts what is written: the bucket’s own setting, S3 with its keys (SSE-S3), or the key service (SSE-KMS).',
  },
  text('s3.kmsKeyId', 'the id or ARN of a key', SOME_TEXT, 'With `s3.encryption` kms; without it the account’s default key.'),
  integer(
    's3.timeoutMs',
    ms(30_000, undefined, 100, HOUR_MS),
    'How long a request may take until its reply begins, and a connection be silent.',
  ),
  text(
    'cache.folder',
    'a path',
    SOME_TEXT,
    'Local copies of immutable objects; `cache` in the data folder when it is not given. Nodes do not share it.',
  ),
  integer(
    'cache.diskBytes',
    bytes(CACHE_DEFAULTS.maxDiskBytes, undefined, MIB),
    'Bound of the files of the cache. What queries read at the moment comes on top.',
  ),
  integer('cache.memoryBytes', bytes(CACHE_DEFAULTS.maxMemoryBytes), 'Bound of the objects of the cache that are in memory.'),
  numeric('prices.put', usd(AWS_REQUEST_PRICES.put), 'For the estimate of cost in the metrics: what AWS lists for S3 Standard.'),
  numeric('prices.get', usd(AWS_REQUEST_PRICES.get), 'As `prices.put`.'),
  numeric('prices.head', usd(AWS_REQUEST_PRICES.head), 'As `prices.put`.'),
  numeric('prices.list', usd(AWS_REQUEST_PRICES.list), 'As `prices.put`.'),
  numeric('prices.delete', usd(AWS_REQUEST_PRICES.delete), 'As `prices.put`.'),
];

const LOG: readonly Setting[] = [
  integer(
    'log.lingerMs',
    ms(folder.lingerMs, s3.lingerMs, 0, 10_000),
    'How long a commit waits for more appends. 0: they gather while the commit before is under way.',
  ),
  integer(
    'log.maxLingerMs',
    ms(folder.maxLingerMs, s3.maxLingerMs, 0, 60_000),
    'How long it waits at most while appends come fast enough to fill a segment; at least `log.lingerMs`.',
  ),
  integer(
    'log.segmentBytes',
    bytes(folder.maxSegmentBytes, s3.maxSegmentBytes, 64 * KIB),
    'Bound of a segment of the log, and of one append.',
  ),
  integer(
    'reads.maxStalenessMs',
    ms(folder.maxStalenessMs, s3.maxStalenessMs, 0, HOUR_MS),
    'How old an answer may be that was asked for without a consistency. 0: everything acknowledged before the request.',
  ),
  integer(
    'tail.maxRows',
    { unit: 'rows', min: 1000, default: ENGINE_DEFAULTS.maxTailRows },
    'Rows of all tails together; writes get TW_TAIL_FULL there.',
  ),
  integer(
    'tail.maxBytes',
    bytes(ENGINE_DEFAULTS.maxTailBytes, undefined, MIB),
    'Bytes of all tails together; writes get TW_TAIL_FULL there.',
  ),
  numeric(
    'tail.streamShare',
    { unit: null, min: 0.001, max: 1, default: ENGINE_DEFAULTS.tailStreamShare },
    'The part of `tail.maxRows` and `tail.maxBytes` that one stream may have; writes to it alone get TW_TAIL_FULL there.',
  ),
  integer(
    'resident.maxBytes',
    bytes(RESIDENT_DEFAULTS.maxResidentBytes),
    'Rows of small tables that are kept in memory, indexed; 0: none.',
  ),
  integer(
    'resident.maxRows',
    { unit: 'rows', min: 0, default: RESIDENT_DEFAULTS.maxResidentRows },
    'Rows up to which a table counts as small.',
  ),
];

const WORK: readonly Setting[] = [
  integer(
    'compaction.rows',
    { unit: 'rows', min: 1, default: folder.compaction.rows, s3Default: s3.compaction.rows },
    'Rows of a tail from which it is compacted; at most half of what `tail.streamShare` gives a stream.',
  ),
  integer(
    'compaction.bytes',
    bytes(folder.compaction.bytes, s3.compaction.bytes, KIB),
    'Bytes of a tail from which it is compacted; at most half of what `tail.streamShare` gives a stream.',
  ),
  integer(
    'compaction.ageMs',
    ms(folder.compaction.ageMs, s3.compaction.ageMs, 100),
    'Age of the oldest row of a tail from which it is compacted.',
  ),
  integer(
    'compaction.threads',
    { unit: 'threads', min: 1, max: 256, default: ENGINE_DEFAULTS.compactionThreads },
    'Of the compaction process.',
  ),
  integer(
    'features.answersRetentionMs',
    ms(ENGINE_DEFAULTS.answersRetentionMs, undefined, 60_000),
    'How long online answers that `features log` keeps stay; of streams `{view}.answers` that are created from then on.',
  ),
  integer(
    'collection.intervalMs',
    ms(folder.collection.intervalMs, s3.collection.intervalMs, 1000),
    'From the end of a collection to the next.',
  ),
  integer(
    'collection.idleMs',
    ms(folder.collection.idleMs, s3.collection.idleMs),
    'How long collections are put off while nothing is written.',
  ),
  integer(
    'collection.graceMs',
    ms(folder.collection.graceMs, s3.collection.graceMs),
    'How long readers that began before may take; longer ones pin what they need.',
  ),
  integer(
    'collection.logRetainMs',
    ms(folder.collection.logRetainMs),
    'Segments committed within this time stay, whatever is in tables.',
  ),
  integer(
    'collection.logRetainBytes',
    bytes(folder.collection.logRetainBytes),
    'Newest segments of at least so many bytes stay.',
  ),
  integer(
    'collection.logHistoryMs',
    ms(folder.collection.logHistoryMs),
    'How long the log is kept for exact instants between two table states, within a stream’s history.',
  ),
  integer(
    'collection.otherEnginesGraceMs',
    ms(folder.collection.otherEnginesGraceMs),
    'How old files must be that other engines left in the folders of streams’ tables, to be deleted by a thorough collection.',
  ),
  integer(
    'collection.maxFloorLagMs',
    ms(folder.collection.maxFloorLagMs, s3.collection.maxFloorLagMs, 1000),
    'A stream that keeps the log for longer is compacted.',
  ),
  integer(
    'collection.maxFloorLagBytes',
    bytes(folder.collection.maxFloorLagBytes, undefined, MIB),
    'A stream that keeps more of the log is compacted.',
  ),
  integer('sql.memoryBytes', bytes(SQL_DEFAULTS.memoryBytes, undefined, MIB), 'Memory of one SQL query.'),
  integer('sql.threads', { unit: 'threads', min: 1, max: 256, default: SQL_DEFAULTS.threads }, 'Threads of one SQL query.'),
  integer(
    'sql.concurrency',
    { unit: 'queries', min: 1, max: 64, default: SQL_DEFAULTS.concurrency },
    'SQL queries that run at once.',
  ),
  integer(
    'live.minIntervalMs',
    ms(LIVE_DEFAULTS.minIntervalMs, undefined, 0, 60_000),
    'From one evaluation of a live answer to the next, however much comes.',
  ),
  integer(
    'live.refreshMs',
    ms(LIVE_DEFAULTS.refreshMs, undefined, 100, HOUR_MS),
    'How often live answers that time alone changes are looked at again: contexts with features, and what has a recency.',
  ),
  integer(
    'live.maxTopics',
    { unit: 'queries', min: 1, max: 100_000, default: LIVE_DEFAULTS.maxTopics },
    'Different questions that are answered live at once.',
  ),
  integer('sql.maxAnswerBytes', bytes(SQL_DEFAULTS.maxAnswerBytes, undefined, KIB), 'Rows of an answer of SQL, as JSON.'),
];

const CLUSTER: readonly Setting[] = [
  integer(
    'cluster.logPollMs',
    ms(CLUSTER_DEFAULTS.log.minPollMs, undefined, 10, HOUR_MS),
    'Between looks at the log while someone follows a stream; twice that while other nodes write. Reads do not wait for it.',
  ),
  integer(
    'cluster.idleLogPollMs',
    ms(CLUSTER_DEFAULTS.log.maxPollMs, undefined, 10, HOUR_MS),
    'The same where nothing comes: intervals double up to it.',
  ),
  integer(
    'cluster.tablePollMs',
    ms(CLUSTER_DEFAULTS.tables.minPollMs, undefined, 100),
    'Between looks at the table of a stream that is written to, which another node may have compacted.',
  ),
  integer(
    'cluster.idleTablePollMs',
    ms(CLUSTER_DEFAULTS.tables.maxPollMs, undefined, 100),
    'The same where nothing comes, and at most a quarter of the stream’s history.',
  ),
  integer(
    'cluster.catalogPollMs',
    ms(CLUSTER_DEFAULTS.catalogPollMs, undefined, 1000),
    'Between looks at the catalog for changed settings of streams, and for feature views.',
  ),
];

const REDIS: readonly Setting[] = [
  {
    ...text(
      'redis.url',
      'redis://[user:password@]host[:port][/database], or rediss://',
      /^rediss?:\/\/[^\s]+$/,
      'Nodes tell each other what is new, and share background work, by this server. It may be lost at any moment.',
    ),
    secret: true,
  },
  text(
    'redis.prefix',
    'a text without blanks and braces',
    /^[^\s{}\p{Cc}]+$/u,
    'Begins the deployment’s names in Redis; `tailwater:` with bucket and prefix of the storage when it is not given.',
  ),
];

const EMBEDDING: readonly Setting[] = [
  {
    ...text('openai.apiKey', 'a text', SOME_TEXT, 'For streams with `embed.provider` "openai".'),
    env: 'OPENAI_API_KEY',
    secret: true,
  },
  text(
    'openai.baseUrl',
    'an http(s) address without credentials',
    HTTP_ADDRESS,
    'Of a service that speaks the same; OpenAI’s own when it is not given.',
  ),
];

/** Everything that a node can be told, in the order of the documentation. */
export const SETTING_GROUPS: readonly { title: string; settings: readonly Setting[] }[] = [
  { title: 'Node', settings: SERVER },
  { title: 'S3', settings: S3 },
  { title: 'Log, reads and memory', settings: LOG },
  { title: 'Background work and SQL', settings: WORK },
  { title: 'Several nodes', settings: CLUSTER },
  { title: 'Redis', settings: REDIS },
  { title: 'Embeddings', settings: EMBEDDING },
];

export const SETTINGS: readonly Setting[] = SETTING_GROUPS.flatMap(group => group.settings);
