import { isJsonObject, type JsonObject, type JsonValue } from '../base/index.ts';
import type { QueryAnswer, QueryHit, StreamInfo } from '../server/index.ts';
import { FILTER, limitOf, outputOf, paged, READS, STREAM } from './schemas.ts';
import type { Tool, ToolAnswer, ToolApi } from './tool-types.ts';

const SELECT: JsonObject = {
  type: 'array',
  items: { type: 'string', maxLength: 500 },
  maxItems: 100,
  description: 'Dotted paths of the fields to return; default the whole value.',
};
const TOKEN: JsonObject = { type: 'string', description: 'Names the instant of the answer.' };
const COMPLETE: JsonObject = {
  type: 'boolean',
  description: 'Whether every acknowledged record was considered.',
};

export const SEARCH: Tool = {
  name: 'search',
  title: 'Search a stream',
  description:
    'Finds records of one stream by meaning, by words or by a filter, including what was written a moment ago. Use it to look something up in documents, memories or records when you know which stream; call list_streams first when you do not. Best match first.',
  inputSchema: paged(
    {
      stream: STREAM,
      text: { type: 'string', minLength: 1, maxLength: 10_000, description: 'What to look for, in plain language.' },
      filter: FILTER,
      mode: {
        type: 'string',
        enum: ['hybrid', 'text', 'vector', 'filter'],
        description: 'Default: the best that the stream can do.',
      },
      limit: limitOf(100, 10),
      select: SELECT,
    },
    ['stream'],
  ),
  outputSchema: outputOf({ complete: COMPLETE, token: TOKEN }, { name: 'hits', description: 'Records, best first.' }),
  annotations: READS,
  async run(api, args, asOf) {
    const { stream, text, filter, mode, limit, select } = args;
    return hitsOf('hits', await query(api, stream, { text, filter, mode, limit: limit ?? 10, select }, asOf));
  },
};

export const RECENT_EVENTS: Tool = {
  name: 'recent_events',
  title: 'Newest records of a stream',
  description:
    'The newest records of a stream, newest first, up to what was acknowledged before the call. Use it to see what just happened, for example the last clicks of a user with the filter {"user":"ann"}.',
  inputSchema: paged({ stream: STREAM, filter: FILTER, limit: limitOf(1000, 20), select: SELECT }, ['stream']),
  outputSchema: outputOf({ complete: COMPLETE, token: TOKEN }, { name: 'events', description: 'Records, newest first.' }),
  annotations: READS,
  async run(api, { stream, filter, limit, select }, asOf) {
    return hitsOf('events', await query(api, stream, { filter, mode: 'filter', limit: limit ?? 20, select }, asOf));
  },
};

export const GET_ROW: Tool = {
  name: 'get_row',
  title: 'The row of a key',
  description:
    'The current value of one key in an upsert stream, such as a user or an order. Use search or recent_events when you do not know the key.',
  inputSchema: paged({ stream: STREAM, key: { type: 'string', minLength: 1, maxLength: 16_384, description: 'Its key.' } }, [
    'stream',
    'key',
  ]),
  outputSchema: outputOf({ token: TOKEN }, { name: 'rows', description: 'The one row.' }),
  annotations: READS,
  async run(api, { stream, key }, asOf) {
    const { record, token } = await api.getRow(String(stream), String(key), asOf === null ? {} : { consistency: { asOf } });
    return { members: { token }, list: { name: 'rows', items: [record as unknown as JsonValue] }, asOf: token };
  },
};

export const LIST_STREAMS: Tool = {
  name: 'list_streams',
  title: 'Streams',
  description:
    'Every stream with its kind (append: every record stays; upsert: the newest record of a key), its fields, how many rows it has and how it can be searched. Call it first to learn what there is. In SQL a stream is a table of the same name.',
  inputSchema: paged({}, []),
  outputSchema: outputOf({}, { name: 'streams', description: 'By name.' }),
  annotations: READS,
  async run(api) {
    const streams = await api.listStreams();
    return { members: {}, list: { name: 'streams', items: streams.map(summaryOf) }, asOf: null };
  },
};

export const QUERY_SQL: Tool = {
  name: 'query_sql',
  title: 'Query with SQL',
  description:
    'Runs one read-only SELECT in the dialect of DuckDB over streams as tables, all at one instant and including what was written a moment ago. Each field of a record is a column; _key, _time, _offset and _ingested_at exist as well. Use it to count, join and aggregate. Quote names that have dashes; add ORDER BY and LIMIT.',
  inputSchema: paged(
    {
      sql: { type: 'string', minLength: 1, maxLength: 100_000, description: 'One SELECT.' },
      limit: limitOf(10_000, 1000),
    },
    ['sql'],
  ),
  outputSchema: outputOf(
    { columns: { type: 'array', description: 'Name and type of each column.' }, token: TOKEN },
    { name: 'rows', description: 'Each an array of cells in the order of the columns.' },
  ),
  annotations: READS,
  async run(api, { sql, limit }, asOf) {
    const at = asOf === null ? {} : { consistency: { asOf } };
    const { columns, rows, token } = await api.sql(String(sql), { limit: Number(limit ?? 1000), ...at });
    return { members: { columns: columns as unknown as JsonValue, token }, list: { name: 'rows', items: rows }, asOf: token };
  },
};

function query(api: ToolApi, stream: JsonValue, request: JsonObject, asOf: string | null): Promise<QueryAnswer> {
  const given = Object.entries(request).filter(([, value]) => value !== undefined);
  return api.query(String(stream), { ...Object.fromEntries(given), ...(asOf === null ? {} : { consistency: { asOf } }) });
}

export function hitsOf(name: string, { hits, freshness, token }: QueryAnswer): ToolAnswer {
  return { members: { complete: freshness.complete, token }, list: { name, items: hits.map(hitOf) }, asOf: token };
}

function hitOf({ id, score, ageMs, tier, partition, offset, value, source }: QueryHit): JsonObject {
  const found = { id, score, ageMs: Math.round(ageMs), tier, partition, offset, value };
  return isJsonObject(source) ? { ...found, source: source as unknown as JsonObject } : found;
}

export function summaryOf({ definition, rows, head, fields }: StreamInfo): JsonObject {
  const { name, kind, key, time, search, embed, documents } = definition;
  return {
    name,
    kind,
    key,
    timeField: time?.field ?? null,
    rows,
    head,
    textSearch: search?.fields ?? null,
    vectorSearch: embed?.fields ?? null,
    documents: documents !== undefined,
    fields: fields.map(({ path, type }) => ({ path, type })),
  };
}
