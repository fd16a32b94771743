import {
  encodeQueryAnswer,
  encodeReadAnswer,
  encodeRecord,
  encodeSqlAnswer,
  parseReadFrom,
  type Tailwater,
  type TailwaterApi,
} from '../server/index.ts';
import { parseExact } from './exact-json.ts';

/** The reads whose records a command prints. */
export type RecordReader = Pick<TailwaterApi, 'read' | 'follow' | 'query' | 'sql'>;

/** Reads of an engine in this process with the digits of the original text, as the server would answer them. */
export function exactReader({ engine }: Tailwater): RecordReader {
  return {
    async read(name, { from, ...rest } = {}) {
      const page = await engine.read(name, { ...rest, ...(from === undefined ? {} : { from: parseReadFrom(from) }) });
      return exactly(encodeReadAnswer(page));
    },
    async *follow(name, { from, ...rest } = {}) {
      const live = engine.follow(name, { ...rest, ...(from === undefined ? {} : { from: parseReadFrom(from) }) });
      for await (const { record, token } of live) yield { token, record: exactly(encodeRecord(record)) };
    },
    async sql(sql, options) {
      return exactly(encodeSqlAnswer(await engine.sql({ ...options, sql })));
    },
    async query(name, request) {
      return exactly(encodeQueryAnswer(await engine.query(name, request), engine.definition(name).kind));
    },
  };
}

function exactly<T>(text: string): T {
  return parseExact(text) as T;
}
