import type { Follower, ReadFrom } from '../snapshot/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { LiveOptions } from './live-queries.ts';
import { type LiveMatch, MatchFeed, MatchQueue, nextOf, type Waiting, withNext } from './match-feed.ts';
import { Candidate, type Matcher, type MatchRequest, matcherOf } from './record-matcher.ts';

/** Matches, and where they begin. */
export interface OpenMatches {
  token: string;
  matches: AsyncGenerator<LiveMatch, void, undefined>;
}

export interface MatchOptions extends LiveOptions {
  /** Where to begin without `after`. Default: now. */
  from?: ReadFrom | undefined;
}

const NOW: ReadFrom = { kind: 'latest' };

/** Where a subscriber is. */
interface Place {
  token: string;
  next: readonly number[];
}

/**
 * Tells of every record that matches, once, in the order of the log. A subscriber reads what it missed by itself, and then shares one feed of the stream
 * with all others; one that falls too far behind reads by itself again, so that nobody waits for it and nothing is lost.
 */
export class StandingQueries {
  readonly #follower: Follower;
  readonly #feeds = new Map<string, MatchFeed>();

  constructor(follower: Follower) {
    this.#follower = follower;
  }

  /** Throws TW_BAD_TOKEN, TW_OFFSET_OUT_OF_RANGE, what `matcherOf` and what pinning throw. */
  async open(
    definition: StreamDefinition,
    request: MatchRequest,
    { after: given, from, signal }: MatchOptions,
  ): Promise<OpenMatches> {
    const matcher = matcherOf(definition, request);
    const token = given ?? (await this.#follower.position(definition, from ?? NOW));
    const place = { token, next: nextOf(definition, token) };
    return { token, matches: this.#matches(definition, matcher, place, signal) };
  }

  async *#matches(
    definition: StreamDefinition,
    matcher: Matcher,
    from: Place,
    signal: AbortSignal,
  ): AsyncGenerator<LiveMatch, void, undefined> {
    let place = from;
    while (!signal.aborted) {
      const queue = new MatchQueue(matcher);
      const feed = this.#feedOf(definition).join();
      const leave = (): void => queue.wake();
      signal.addEventListener('abort', leave, { once: true });
      try {
        await feed.started;
        const target = feed.attach(queue);
        for await (const reached of this.#missed(definition, place, target, signal)) {
          place = reached;
          if (matcher(new Candidate(definition, reached.record))) yield { record: reached.record, token: reached.token };
        }
        while (!signal.aborted && !queue.overflowed) {
          const next = queue.take();
          if (next === undefined) {
            feed.check();
            await queue.changed();
          } else if (next.record.offset >= place.next[next.record.partition]) {
            place = after(definition, place, next);
            yield { record: next.record, token: place.token };
          }
        }
      } finally {
        signal.removeEventListener('abort', leave);
        this.#left(definition, feed, queue);
      }
    }
  }

  stats(): { streams: number; subscribers: number } {
    let subscribers = 0;
    for (const feed of this.#feeds.values()) subscribers += feed.users;
    return { streams: this.#feeds.size, subscribers };
  }

  /** Every record from one place to another. */
  async *#missed(
    definition: StreamDefinition,
    from: Place,
    target: readonly number[],
    signal: AbortSignal,
  ): AsyncGenerator<Place & Pick<LiveMatch, 'record'>, void, undefined> {
    const next = [...from.next];
    const isThere = (): boolean => next.every((offset, partition) => offset >= target[partition]);
    if (isThere()) return;
    const records = this.#follower.follow(definition, { from: NOW, after: from.token, signal });
    for await (const { record, token } of records) {
      next[record.partition] = record.offset + 1;
      yield { record, token, next: [...next] };
      if (isThere()) return;
    }
  }

  #feedOf(definition: StreamDefinition): MatchFeed {
    const { incarnation } = definition;
    const known = this.#feeds.get(incarnation);
    if (known !== undefined && !known.failed) return known;
    const feed = new MatchFeed(definition, this.#follower);
    this.#feeds.set(incarnation, feed);
    return feed;
  }

  #left(definition: StreamDefinition, feed: MatchFeed, queue: MatchQueue): void {
    feed.leave(queue);
    if (feed.users === 0 && this.#feeds.get(definition.incarnation) === feed) this.#feeds.delete(definition.incarnation);
  }
}

/** A subscriber that read by itself may be ahead of the feed in another partition. */
function after(definition: StreamDefinition, place: Place, { token, next }: Waiting): Place {
  if (next.every((offset, partition) => offset >= place.next[partition])) return { token, next };
  const merged = next.map((offset, partition) => Math.max(offset, place.next[partition]));
  return { token: withNext(definition, token, merged), next: merged };
}
