import type { ClientFollower, ResumableEvent } from './client-follow.ts';
import type { HttpRequest } from './client-transport.ts';
import type { ContextAnswer } from './context/index.ts';
import type { LiveAnswer, LiveQueryRequest, MatchRequest } from './live/index.ts';
import type {
  ApiRecord,
  FollowEvent,
  LiveApi,
  LiveCallOptions,
  LiveContextCall,
  LiveMatchOptions,
  QueryAnswer,
} from './server/index.ts';

export interface ClientLiveOptions {
  follower: ClientFollower;
  parse<T>(text: string): T;
  /** When what a caller's signal ends, ends. */
  until(signal: AbortSignal | undefined): AbortSignal;
}

/** Live answers of a server, over server-sent events. */
export class ClientLive implements LiveApi {
  readonly #options: ClientLiveOptions;

  constructor(options: ClientLiveOptions) {
    this.#options = options;
  }

  async *query(stream: string, request: LiveQueryRequest, options?: LiveCallOptions): AsyncGenerator<LiveAnswer<QueryAnswer>> {
    for await (const { data } of this.#events('answer', queryRequest(stream, request), options)) yield this.#options.parse(data);
  }

  async *matches(
    stream: string,
    request: MatchRequest,
    { from, ...options }: LiveMatchOptions = {},
  ): AsyncGenerator<FollowEvent> {
    const events = this.#events('match', queryRequest(stream, { ...request, from, emit: 'matches' }), options);
    for await (const { data, id } of events) yield { token: id, record: this.#options.parse<ApiRecord>(data) };
  }

  async *context(name: string, call: LiveContextCall = {}, options?: LiveCallOptions): AsyncGenerator<LiveAnswer<ContextAnswer>> {
    const { params, version, budget } = call;
    const query = new URLSearchParams();
    if (params !== undefined) query.set('params', JSON.stringify(params));
    if (version !== undefined) query.set('version', version);
    if (budget !== undefined) query.set('budget', String(budget.tokens));
    const path = `/v1/contexts/${encodeURIComponent(name.toWellFormed())}/live?${query}`;
    for await (const { data } of this.#events('answer', { method: 'GET', path, repeatable: true }, options))
      yield this.#options.parse(data);
  }

  async *#events(
    wanted: string,
    sent: HttpRequest,
    { after, signal }: LiveCallOptions = {},
  ): AsyncGenerator<ResumableEvent, void, undefined> {
    const request = (token: string | undefined): HttpRequest => ({
      ...sent,
      headers: { ...sent.headers, ...(token === undefined ? {} : { 'last-event-id': token }) },
    });
    for await (const received of this.#options.follower.events({ after, request, signal: this.#options.until(signal) })) {
      if (received.event === wanted) yield received;
    }
  }
}

function queryRequest(stream: string, body: object): HttpRequest {
  return {
    method: 'POST',
    path: `/v1/streams/${encodeURIComponent(stream.toWellFormed())}/query/live`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    repeatable: true,
  };
}
