import type { JsonValue } from '../../base/index.ts';
import type { ToolApi } from '../../tools/index.ts';
import { keyBytes, parseReadFrom, toApiRecord, toQueryHit } from '../api-mapping.ts';
import type { EngineLike } from '../engine-types.ts';

/** What tools call, on the engine of this server. Values are parsed: numbers beyond 2^53 are rounded, as in every client without digits. */
export function engineToolApi(engine: EngineLike): ToolApi {
  return {
    features: engine.features,
    contexts: engine.contexts,
    append: (name, records, options) => engine.append(name, { records }, options),
    context: request => engine.context(request),
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
      const answer = await engine.sql({ ...options, sql });
      return { ...answer, rows: answer.rows.map(row => JSON.parse(row) as JsonValue[]) };
    },
    async getRow(name, key, options = {}) {
      const row = await engine.getRow(name, keyBytes(key), options.consistency);
      return { ...row, record: toApiRecord(row.record) };
    },
  };
}
