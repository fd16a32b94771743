import type { ContextAnswer, ContextAssembler, ContextItem, ContextRequest } from '../context/index.ts';
import {
  type LiveAnswer,
  LiveAnswers,
  LiveQueries,
  type LiveQueryRequest,
  type MatchRequest,
  type OpenMatches,
  openLive,
  requireNow,
  StandingQueries,
} from '../live/index.ts';
import type { SearchAnswer, Searcher } from '../retrieval/index.ts';
import type { Follower, LiveStreams, ReadFrom } from '../snapshot/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { ComponentStats } from './metrics.ts';
import type { EngineSettings } from './settings.ts';

export interface LiveCall {
  /** The token of the last answer or match seen. */
  after?: string | undefined;
  /** Ends it. */
  signal: AbortSignal;
}

export interface EngineLiveOptions {
  streams: LiveStreams;
  follower: Follower;
  searcher: Searcher;
  contexts: ContextAssembler;
  settings: Pick<EngineSettings, 'clock' | 'live'>;
  find(name: string): Promise<StreamDefinition>;
  /** Throws where this node does not answer reads. */
  check(): void;
}

/** Questions that are answered again and again, of this process. */
export class EngineLive {
  readonly #options: EngineLiveOptions;
  readonly #answers: LiveAnswers;
  readonly #queries: LiveQueries;
  readonly #standing: StandingQueries;

  constructor(options: EngineLiveOptions) {
    const { streams, searcher, follower, settings } = options;
    this.#options = options;
    this.#answers = new LiveAnswers({ streams, clock: settings.clock, settings: settings.live });
    this.#queries = new LiveQueries(this.#answers, searcher);
    this.#standing = new StandingQueries(follower);
  }

  /** The answer of a search now, and again whenever it is another one. */
  async query(
    name: string,
    request: LiveQueryRequest,
    call: LiveCall,
  ): Promise<AsyncGenerator<LiveAnswer<SearchAnswer>, void, undefined>> {
    this.#options.check();
    return this.#queries.open(await this.#options.find(name), request, call);
  }

  /** Every new record that matches, once, in order. */
  async matches(name: string, request: MatchRequest, call: LiveCall & { from?: ReadFrom }): Promise<OpenMatches> {
    this.#options.check();
    return this.#standing.open(await this.#options.find(name), request, call);
  }

  /** A context of now, and again whenever other items, or the same in another order, are in it. */
  async context(request: ContextRequest, call: LiveCall): Promise<AsyncGenerator<LiveAnswer<ContextAnswer>, void, undefined>> {
    const { contexts, check } = this.#options;
    check();
    requireNow(request);
    const definitions = await contexts.sourcesOf(request);
    const question = {
      name: JSON.stringify(['context', definitions.map(({ incarnation }) => incarnation), request]),
      definitions,
      evaluate: () => contexts.assemble(request),
      identify: ({ items }: ContextAnswer) => items.map(identified),
      // Windows of features end at now, and worth falls with age.
      ages: request.include.features !== undefined || request.recency !== undefined,
    };
    const past = (token: string): Promise<ContextAnswer> => contexts.assemble({ ...request, consistency: { asOf: token } });
    return openLive(this.#answers, question, past, call);
  }

  stats(): ComponentStats[] {
    return [
      { component: 'live_answers', stats: { ...this.#answers.stats() } },
      { component: 'live_matches', stats: { ...this.#standing.stats() } },
    ];
  }
}

function identified({ leg, source, value }: ContextItem): { id: string; content: string } {
  if ('view' in source) return { id: leg, content: JSON.stringify([source.version, value]) };
  const { partition, offset, key } = source;
  return { id: `${leg}:${key ?? `${partition}:${offset}`}`, content: `${partition}:${offset}` };
}
