import type { JsonValue } from '../../base/index.ts';
import type { ToolApi } from '../../tools/index.ts';
import type { Identity } from '../access/authenticator.ts';
import { limitedReads, type Reads, reaches, requireReach } from '../access/limited-reads.ts';
import { keyBytes, parseReadFrom, toApiRecord, toQueryHit } from '../api-mapping.ts';
import type { EngineLike } from '../engine-types.ts';

/** What tools call, on the engine of this server, for whoever asks; null: nobody is asked who they are. */
export function engineToolApi(engine: EngineLike, identity: Identity | null): ToolApi {
  if (identity === null || identity.streams === null) return toolApi(engine, engine);
  return limitedToolApi(toolApi(engine, limitedReads(engine, identity)), identity);
}

/** Values are parsed: numbers beyond 2^53 are rounded, as in every client without digits. */
function toolApi(engine: EngineLike, reads: Reads): ToolApi {
  return {
    features: reads.features,
    contexts: reads.contexts,
    append: (name, records, options) => engine.append(name, { records }, options),
    context: request => reads.context(request),
    createStream: (name, settings) => engine.createStream(name, settings),
    getStream: name => engine.getStream(name),
    getTable: name => engine.getTable(name),
    listStreams: () => engine.listStreams(),
    async read(name, { from, ...rest } = {}) {
      const page = await engine.read(name, { ...rest, ...(from === undefined ? {} : { from: parseReadFrom(from) }) });
      return { ...page, records: page.records.map(toApiRecord) };
    },
    async *follow(name, { from, ...rest } = {}) {
      const live = engine.follow(name, { ...rest, ...(from === undefined ? {} : { from: parseReadFrom(from) }) });
      for await (const { record, token } of live) yield { token, record: toApiRecord(record) };
    },
    async query(name, request) {
      const { kind } = engine.definition(name);
      const { hits, freshness, token } = await engine.query(name, request);
      return { hits: hits.map(hit => toQueryHit(hit, kind)), freshness, token };
    },
    async sql(sql, options = {}) {
      const answer = await reads.sql({ ...options, sql });
      return { ...answer, rows: answer.rows.map(row => JSON.parse(row) as JsonValue[]) };
    },
    async getRow(name, key, options = {}) {
      const row = await engine.getRow(name, keyBytes(key), options.consistency);
      return { ...row, record: toApiRecord(row.record) };
    },
  };
}

/** For a key of some streams: of others there is nothing in lists, and whatever names one is TW_FORBIDDEN. */
function limitedToolApi(api: ToolApi, identity: Identity): ToolApi {
  const within =
    <A extends unknown[], R>(ask: (stream: string, ...rest: A) => Promise<R>) =>
    async (stream: string, ...rest: A): Promise<R> => {
      requireReach(identity, stream);
      return ask(stream, ...rest);
    };
  return {
    // Limited already: they name their streams within what is asked.
    features: api.features,
    contexts: api.contexts,
    context: api.context,
    sql: api.sql,
    append: within(api.append),
    createStream: within(api.createStream),
    getStream: within(api.getStream),
    getTable: within(api.getTable),
    read: within(api.read),
    query: within(api.query),
    getRow: within(api.getRow),
    listStreams: async () => (await api.listStreams()).filter(({ definition }) => reaches(identity, definition.name)),
    async *follow(stream, options) {
      requireReach(identity, stream);
      yield* api.follow(stream, options);
    },
  };
}
