import { type TSchema, type TUnsafe, Type } from '@fastify/type-provider-typebox';
import type { JsonObject } from '../../base/index.ts';

const strict = { additionalProperties: false };
const JsonObjectSchema = Type.Unsafe<JsonObject>({ type: 'object' });
const AnyValue = Type.Unknown({ description: 'Any JSON value; its numbers keep the digits they were sent with.' });

/** A closed set of words, as `enum`: its validation message lists them. */
function oneOf<const T extends string>(values: readonly T[], options: { description?: string } = {}): TUnsafe<T> {
  return Type.Unsafe<T>({ type: 'string', enum: values, ...options });
}

export const StreamParams = Type.Object({ stream: Type.String({ description: 'Name of the stream.' }) });
export const RowParams = Type.Object({
  stream: Type.String({ description: 'Name of the stream.' }),
  key: Type.String({ description: 'The key, percent-encoded.' }),
});

const Key = Type.Union([Type.String(), Type.Object({ base64: Type.String() }, strict), Type.Null()], {
  description: 'Text when the bytes are valid UTF-8, else base64.',
});

const count = Type.Optional(Type.Integer({ minimum: 1 }));
const Retention = Type.Union([Type.String(), Type.Object({ age: Type.Optional(Type.String()), bytes: count }, strict)]);
const Ttl = Type.Union([Type.String(), Type.Object({ field: Type.String() }, strict)]);
const Maintenance = Type.Object({ compactionsPerOptimize: count, unindexedTextRows: count, unindexedVectorRows: count }, strict);
const changeable = {
  history: Type.Optional(Type.String()),
  retention: Type.Optional(Retention),
  ttl: Type.Optional(Ttl),
  maintenance: Type.Optional(Maintenance),
};
const orNull = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

/** Null takes a setting back to its default. */
export const StreamChangesBody = Type.Object(
  { history: orNull(Type.String()), retention: orNull(Retention), ttl: orNull(Ttl), maintenance: orNull(Maintenance) },
  strict,
);

export const StreamSettingsBody = Type.Object(
  {
    kind: oneOf(['append', 'upsert']),
    key: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 16 })])),
    time: Type.Optional(
      Type.Union([Type.String(), Type.Object({ field: Type.String(), unit: oneOf(['s', 'ms', 'us']) }, strict)]),
    ),
    schema: Type.Optional(JsonObjectSchema),
    partitions: Type.Optional(Type.Integer({ minimum: 1 })),
    colocate: Type.Optional(Type.String()),
    embed: Type.Optional(
      Type.Object(
        {
          fields: Type.Array(Type.String(), { minItems: 1 }),
          provider: Type.Optional(Type.String()),
          model: Type.Optional(Type.String()),
          dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
        },
        strict,
      ),
    ),
    search: Type.Optional(Type.Object({ fields: Type.Array(Type.String(), { minItems: 1 }) }, strict)),
    table: Type.Optional(
      Type.Object(
        {
          format: Type.Optional(Type.Union([Type.Literal('lance'), Type.Literal('iceberg')])),
          partitionBy: Type.Optional(Type.Array(Type.String())),
          sortBy: Type.Optional(Type.Array(Type.String())),
        },
        strict,
      ),
    ),
    ...changeable,
    documents: Type.Optional(
      Type.Object(
        { chunkTokens: Type.Optional(Type.Integer()), overlapTokens: Type.Optional(Type.Integer()) },
        { ...strict, description: 'The stream holds documents, cut like this.' },
      ),
    ),
  },
  strict,
);

const ConsistencySchema = Type.Object(
  {
    atLeast: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 100 })])),
    strong: Type.Optional(Type.Literal(true)),
    maxStalenessMs: Type.Optional(Type.Number({ minimum: 0 })),
    asOf: Type.Optional(Type.Union([Type.String(), Type.Object({ tag: Type.String() }, strict)])),
  },
  { ...strict, maxProperties: 1 },
);

export const consistencyQuery = {
  atLeast: Type.Optional(Type.String({ description: 'A token: the answer includes everything it names.' })),
  strong: Type.Optional(Type.Boolean()),
  maxStalenessMs: Type.Optional(Type.Number({ minimum: 0 })),
  asOf: Type.Optional(Type.String({ description: 'A token, an ISO 8601 time, or tag:<name>.' })),
};

export const ReadQuery = Type.Object(
  {
    partition: Type.Optional(Type.Integer({ minimum: 0 })),
    from: Type.Optional(Type.String({ description: 'earliest, latest, an offset, time:<ISO 8601> or event:<ISO 8601>.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100 })),
    ...consistencyQuery,
  },
  strict,
);

export const AppendQuery = Type.Object(
  { envelope: Type.Optional(oneOf(['record', 'value'], { description: 'What an NDJSON line is.' })) },
  strict,
);

export const ScanQuery = Type.Object(
  {
    format: Type.Optional(oneOf(['arrow', 'ndjson', 'parquet'], { description: 'Default arrow: an Arrow IPC stream.' })),
    columns: Type.Optional(
      Type.String({
        description:
          'Names with commas between them. Default: place, key, times, every user column, _extra. By name also _text and _embedding, what rows are searched by.',
      }),
    ),
    filter: Type.Optional(Type.String({ description: 'A filter of queries, as JSON.' })),
    tail: Type.Optional(Type.Boolean({ description: 'false: only what has been compacted into the table.' })),
    shard: Type.Optional(Type.String({ description: 'i/n: the i-th (from 0) of n disjoint parts, the same for ever.' })),
    afterSeq: Type.Optional(
      Type.Integer({ minimum: -1, description: 'Only rows with a higher _seq: resumes a scan with the same asOf.' }),
    ),
    ...consistencyQuery,
  },
  strict,
);

export const RowQuery = Type.Object(
  {
    keyEncoding: Type.Optional(
      oneOf(['utf8', 'base64url'], { description: 'How the path writes the key; base64url for binary keys.' }),
    ),
    ...consistencyQuery,
  },
  strict,
);
export const RowDeleteQuery = Type.Pick(RowQuery, ['keyEncoding'], strict);

export const QueryBody = Type.Object(
  {
    text: Type.Optional(Type.String()),
    vector: Type.Optional(Type.Array(Type.Number(), { minItems: 1, maxItems: 65_536 })),
    mode: Type.Optional(oneOf(['vector', 'text', 'hybrid', 'filter'])),
    filter: Type.Optional(JsonObjectSchema),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    select: Type.Optional(Type.Array(Type.String(), { maxItems: 500 })),
    consistency: Type.Optional(ConsistencySchema),
    recency: Type.Optional(
      Type.Object(
        {
          halfLifeMs: Type.Number({ exclusiveMinimum: 0 }),
          weight: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
        },
        strict,
      ),
    ),
    weights: Type.Optional(
      Type.Object(
        { text: Type.Optional(Type.Number({ minimum: 0 })), vector: Type.Optional(Type.Number({ minimum: 0 })) },
        strict,
      ),
    ),
    deadlineMs: Type.Optional(Type.Number({ minimum: 1, maximum: 600_000 })),
  },
  strict,
);

export const SqlBody = Type.Object(
  {
    sql: Type.String({ maxLength: 100_000 }),
    consistency: Type.Optional(ConsistencySchema),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Rows of the answer at most; default 10,000.' }),
    ),
    deadlineMs: Type.Optional(Type.Number({ minimum: 1, maximum: 600_000 })),
  },
  strict,
);

export const TagParams = Type.Object({
  stream: Type.String({ description: 'Name of the stream.' }),
  tag: Type.String({ description: 'Name of the tag.' }),
});
export const TagBody = Type.Object(
  {
    name: Type.String(),
    asOf: Type.Optional(
      Type.String({ description: 'A token or an ISO 8601 time; default: everything acknowledged before the call.' }),
    ),
  },
  strict,
);
export const CompactBody = Type.Union([Type.Object({ full: Type.Optional(Type.Boolean()) }, strict), Type.Null()]);
export const CollectBody = Type.Union([
  Type.Object(
    {
      dryRun: Type.Optional(Type.Boolean()),
      thorough: Type.Optional(Type.Boolean()),
      orphansOnly: Type.Optional(Type.Boolean()),
    },
    strict,
  ),
  Type.Null(),
]);
export const SourcesBody = Type.Object({ sources: Type.Array(Type.String(), { maxItems: 10_000 }) }, strict);

const RecordInput = Type.Object(
  {
    key: Type.Optional(Key),
    time: Type.Optional(Type.Union([Type.String(), Type.Number()])),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    value: AnyValue,
  },
  strict,
);
export const RecordsBody = Type.Object({ records: Type.Array(RecordInput) }, strict);

export const Freshness = Type.Object({
  watermark: Type.Array(Type.Integer(), { description: 'Per partition, the highest offset that came from the table; -1: none.' }),
  head: Type.Array(Type.Integer(), { description: 'Per partition, the highest offset considered; -1: none.' }),
  tailRows: Type.Integer(),
  newestAgeMs: Type.Union([Type.Number(), Type.Null()]),
  asOf: Type.String(),
  skipped: Type.Array(Type.Object({ leg: Type.String(), reason: Type.String() })),
  complete: Type.Boolean(),
});

const RecordOutput = Type.Object({
  partition: Type.Integer(),
  offset: Type.Integer(),
  key: Key,
  time: Type.String({ description: 'Event time, ISO 8601.' }),
  ingestedAt: Type.String({ description: 'Commit time, ISO 8601.' }),
  headers: Type.Record(Type.String(), Type.String()),
  value: AnyValue,
});

export const token = Type.String({ description: 'Names what this answer includes; opaque and URL-safe.' });
const tier = oneOf(['tail', 'table']);

export const AppendAnswerSchema = Type.Object({
  token,
  accepted: Type.Integer(),
  partitions: Type.Array(Type.Object({ partition: Type.Integer(), first: Type.Integer(), last: Type.Integer() })),
  rejected: Type.Array(Type.Object({ index: Type.Integer(), code: Type.String(), message: Type.String() })),
});
export const ReadAnswerSchema = Type.Object({
  records: Type.Array(RecordOutput),
  next: Type.Integer(),
  freshness: Freshness,
  token,
});
export const RowAnswerSchema = Type.Object({ record: RecordOutput, tier, freshness: Freshness, token });
const rank = Type.Optional(Type.Integer());
export const QueryAnswerSchema = Type.Object({
  hits: Type.Array(
    Type.Object({
      id: Type.String(),
      key: Key,
      partition: Type.Integer(),
      offset: Type.Integer(),
      score: Type.Number(),
      tier,
      ageMs: Type.Number(),
      value: AnyValue,
      ranks: Type.Object({ text: rank, vector: rank }),
      source: Type.Optional(
        Type.Object(
          {
            document: Type.String(),
            version: Type.Integer(),
            title: Type.Union([Type.String(), Type.Null()]),
            url: Type.Union([Type.String(), Type.Null()]),
            heading: Type.Array(Type.String()),
            ranges: Type.Array(Type.Object({ start: Type.Integer(), end: Type.Integer() })),
          },
          { description: 'Where a chunk stands in its document.' },
        ),
      ),
    }),
  ),
  freshness: Freshness,
  token,
});
export const SqlAnswerSchema = Type.Object({
  columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String({ description: 'A type of DuckDB.' }) })),
  rows: Type.Array(Type.Array(AnyValue), { description: 'Cells in the order of the columns.' }),
  freshness: Type.Record(Type.String(), Freshness, { description: 'Of each stream in the query.' }),
  token,
});
export const StreamInfoSchema = Type.Object({
  definition: JsonObjectSchema,
  earliest: Type.Array(Type.Integer(), { description: 'Per partition, the lowest offset that can be read.' }),
  head: Type.Array(Type.Integer()),
  watermark: Type.Array(Type.Integer()),
  lag: Type.Integer(),
  rows: Type.Integer(),
  tailBytes: Type.Integer(),
  fields: Type.Array(Type.Object({ name: Type.String(), path: Type.String(), type: Type.String() })),
});
const Dataset = Type.Object({ path: Type.String({ description: 'On the machine of the server.' }), version: Type.Integer() });
const Datasets = Type.Object({
  format: Type.Literal('lance'),
  rows: Dataset,
  changes: Type.Union([Dataset, Type.Null()]),
});
export const TableInfoSchema = Type.Object({
  stream: Type.String(),
  state: Type.Union([JsonObjectSchema, Type.Null()]),
  datasets: Type.Union([Datasets, Type.Null()]),
  running: Type.Union([
    Type.Object({ kind: oneOf(['compaction', 'maintenance']), startedAt: Type.String(), commits: Type.Integer() }),
    Type.Null(),
  ]),
  token,
});
export const TagInfoSchema = Type.Object({
  stream: Type.String(),
  name: Type.String(),
  token,
  asOf: Type.String({ description: 'Commit time of the instant, ISO 8601.' }),
  createdAt: Type.String(),
  rows: Type.Integer(),
  tableState: Type.Integer(),
  datasets: Datasets,
});
export const CollectionSchema = JsonObjectSchema;
export const HealthSchema = Type.Object({
  status: oneOf(['ok', 'degraded']),
  problems: Type.Array(Type.String()),
  warnings: Type.Optional(Type.Array(Type.String())),
  streams: Type.Integer(),
  uptimeMs: Type.Number(),
});
export const ProgressSchema = Type.Object({
  progress: Type.Array(
    Type.Object({ source: Type.String(), contentHash: Type.String(), position: Type.Integer(), done: Type.Boolean() }),
  ),
});
export const ProblemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String({ description: 'Stable; see the error registry.' }),
  detail: Type.String(),
  action: Type.String({ description: 'What to do next.' }),
  retryAfterMs: Type.Optional(Type.Number()),
  data: Type.Optional(JsonObjectSchema),
});
