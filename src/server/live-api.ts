import type { ContextAnswer, ContextCall } from '../context/index.ts';
import type { LiveAnswer, LiveQueryRequest, MatchRequest } from '../live/index.ts';
import type { FollowEvent, QueryAnswer } from './api.ts';
import { parseReadFrom, toApiRecord, toQueryHit } from './api-mapping.ts';
import type { EngineLike } from './engine-types.ts';

export interface LiveCallOptions {
  /** The token of the last answer or match seen: what came since is told, and nothing twice. */
  after?: string;
  /** Ends it. */
  signal?: AbortSignal;
}

export interface LiveMatchOptions extends LiveCallOptions {
  /** Where to begin without `after`: latest (default), earliest, an offset, time:<ISO> (commit time) or event:<ISO>. */
  from?: string | number;
}

export type LiveContextCall = Pick<ContextCall, 'params' | 'version' | 'budget'>;

/**
 * Questions that are answered again and again: the same on the embedded engine and the HTTP client, which goes on by itself after a lost connection.
 * A reader that is slow misses answers between, never the newest, and no match. Iterating throws TailwaterErrors.
 */
export interface LiveApi {
  /** The answer now, and whenever other rows, or the same in another order, are the answer. */
  query(stream: string, request: LiveQueryRequest, options?: LiveCallOptions): AsyncIterable<LiveAnswer<QueryAnswer>>;
  /** Each record from `from` on that matches, once, in the order of the log. */
  matches(stream: string, request: MatchRequest, options?: LiveMatchOptions): AsyncIterable<FollowEvent>;
  /** A context by its name now, and whenever other items are in it. */
  context(name: string, call?: LiveContextCall, options?: LiveCallOptions): AsyncIterable<LiveAnswer<ContextAnswer>>;
}

export function embeddedLive(engine: EngineLike): LiveApi {
  return {
    async *query(stream, request, options = {}) {
      const answers = await engine.live.query(stream, request, callOf(options));
      const { kind } = engine.definition(stream);
      for await (const { answer, difference } of answers) {
        const { hits, freshness, token } = answer;
        yield { answer: { hits: hits.map(hit => toQueryHit(hit, kind)), freshness, token }, difference };
      }
    },
    async *matches(stream, request, { from, ...options } = {}) {
      const call = { ...callOf(options), ...(from === undefined ? {} : { from: parseReadFrom(from) }) };
      const { matches } = await engine.live.matches(stream, request, call);
      for await (const { record, token } of matches) yield { token, record: toApiRecord(record) };
    },
    async *context(name, call = {}, options = {}) {
      yield* await engine.live.context(await engine.contexts.request(name, call), callOf(options));
    },
  };
}

function callOf({ after, signal }: LiveCallOptions): { after?: string; signal: AbortSignal } {
  return { signal: signal ?? new AbortController().signal, ...(after === undefined ? {} : { after }) };
}
