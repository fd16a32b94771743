import { isTailwaterError, TailwaterError } from '../base/index.ts';
import { hitId, planSearch, type QueryRequest, type SearchAnswer, type Searcher } from '../retrieval/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import { type Difference, differenceOf, type Identified, isSameOrder } from './difference.ts';
import type { LiveAnswers, Question } from './live-answers.ts';
import type { Update } from './topic.ts';

/** A search of now. */
export type LiveQueryRequest = Omit<QueryRequest, 'consistency'>;

export interface LiveAnswer<T> {
  answer: T;
  /** From the answer before to this one; null: there was none, or it is too long ago. */
  difference: Difference | null;
}

export interface LiveOptions {
  /** The token of the last answer that the subscriber has: it is told of the next one that differs from it. */
  after?: string | undefined;
  signal: AbortSignal;
}

/** What makes an answer another one. */
export type Identify<T> = (answer: T) => Identified[];

/** Answers to searches that are given again whenever other rows, or the same in another order, are the answer. */
export class LiveQueries {
  readonly #answers: LiveAnswers;
  readonly #searcher: Searcher;

  constructor(answers: LiveAnswers, searcher: Searcher) {
    this.#answers = answers;
    this.#searcher = searcher;
  }

  /** Throws what a search throws, TW_BAD_TOKEN, and TW_BUSY. */
  open(
    definition: StreamDefinition,
    request: LiveQueryRequest,
    options: LiveOptions,
  ): Promise<AsyncGenerator<LiveAnswer<SearchAnswer>, void, undefined>> {
    requireNow(request);
    planSearch(definition, request);
    const identify: Identify<SearchAnswer> = ({ hits }) =>
      hits.map(({ record }) => ({ id: hitId(record, definition.kind), content: `${record.partition}:${record.offset}` }));
    const question = {
      name: JSON.stringify(['query', definition.incarnation, request]),
      definitions: [definition],
      evaluate: () => this.#searcher.search(definition, request),
      identify,
      ages: request.recency !== undefined,
    };
    const past = (token: string) => this.#searcher.search(definition, { ...request, consistency: { asOf: token } });
    return openLive(this.#answers, question, past, options);
  }
}

/** Throws TW_BAD_REQUEST. */
export function requireNow(request: object): void {
  if (!('consistency' in request) || request.consistency === undefined) return;
  throw new TailwaterError('TW_BAD_REQUEST', { detail: 'A live answer is always of now: it has no `consistency`.' });
}

/** `past`: the answer at a token, which a subscriber that comes back has. */
export async function openLive<T>(
  answers: LiveAnswers,
  { identify, ...question }: Omit<Question<T>, 'isSame'> & { identify: Identify<T> },
  past: (token: string) => Promise<T>,
  { after, signal }: LiveOptions,
): Promise<AsyncGenerator<LiveAnswer<T>, void, undefined>> {
  const isSame = (one: T, other: T): boolean => isSameOrder(identify(one), identify(other));
  const known = after === undefined ? null : await unlessForgotten(past(after));
  return compared(answers.subscribe({ ...question, isSame }, known, signal), identify);
}

/** Of updates that several subscribers are given: compared once. */
const told = new WeakMap<object, LiveAnswer<unknown>>();

async function* compared<T>(
  updates: AsyncIterable<Update<T>>,
  identify: Identify<T>,
): AsyncGenerator<LiveAnswer<T>, void, undefined> {
  for await (const update of updates) {
    const { answer, before } = update;
    let live = told.get(update) as LiveAnswer<T> | undefined;
    if (live === undefined) {
      live = { answer, difference: before === null ? null : differenceOf(identify(before), identify(answer)) };
      told.set(update, live);
    }
    yield live;
  }
}

/** An answer of long ago cannot be compared with any more. */
async function unlessForgotten<T>(past: Promise<T>): Promise<T | null> {
  try {
    return await past;
  } catch (error) {
    if (isTailwaterError(error, 'TW_HISTORY_EXPIRED', 'TW_SNAPSHOT_EXPIRED')) return null;
    throw error;
  }
}
