import { type Clock, TailwaterError } from '../base/index.ts';
import type { LiveStreams } from '../snapshot/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import { Topic, type Update } from './topic.ts';

export interface LiveSettings {
  /** From one evaluation of a live answer to the next. Default 50 ms. */
  minIntervalMs: number;
  /** How often answers that time alone changes are looked at again. Default 5,000 ms. */
  refreshMs: number;
  /** Different questions that are answered live at a time. Default 1,000. */
  maxTopics: number;
}

export const LIVE_DEFAULTS: LiveSettings = { minIntervalMs: 50, refreshMs: 5000, maxTopics: 1000 };

/** A question that is answered again and again. */
export interface Question<T> {
  /** The same for the same question: those who ask it share its evaluations. */
  name: string;
  /** What it reads. */
  definitions: readonly StreamDefinition[];
  evaluate(): Promise<T>;
  isSame(one: T, other: T): boolean;
  /** Whether its answer changes as time passes. */
  ages: boolean;
}

/** Live answers of this node, each evaluated once for all who want it, when a record comes to a stream that it reads. */
export class LiveAnswers {
  readonly #streams: LiveStreams;
  readonly #clock: Clock;
  readonly #settings: LiveSettings;
  // A topic is only ever given to who asks with the name that it was made for, whose answers are of its type.
  readonly #topics = new Map<string, Topic<unknown>>();

  constructor(options: { streams: LiveStreams; clock: Clock; settings: LiveSettings }) {
    this.#streams = options.streams;
    this.#clock = options.clock;
    this.#settings = options.settings;
  }

  /** `known`: what the subscriber has already. Throws TW_BUSY, and what evaluating throws. */
  async *subscribe<T>(question: Question<T>, known: T | null, signal: AbortSignal): AsyncGenerator<Update<T>, void, undefined> {
    const topic = this.#topicOf(question);
    try {
      yield* topic.subscribe(known, signal);
    } finally {
      if (topic.subscribers === 0 && this.#topics.get(question.name) === topic) this.#topics.delete(question.name);
    }
  }

  stats(): { topics: number; subscribers: number } {
    let subscribers = 0;
    for (const topic of this.#topics.values()) subscribers += topic.subscribers;
    return { topics: this.#topics.size, subscribers };
  }

  #topicOf<T>(question: Question<T>): Topic<T> {
    const known = this.#topics.get(question.name);
    if (known !== undefined && !known.failed) return known as Topic<T>;
    if (known === undefined && this.#topics.size >= this.#settings.maxTopics) {
      throw new TailwaterError('TW_BUSY', {
        detail: `${this.#topics.size} different questions are answered live, the most allowed.`,
        retryAfterMs: 5000,
      });
    }
    const { evaluate, isSame, ages, definitions } = question;
    const { minIntervalMs, refreshMs } = this.#settings;
    const changed = (signal: AbortSignal): Promise<void> => this.#nextRecord(definitions, signal);
    const topic = new Topic<T>({
      evaluate,
      isSame,
      changed,
      clock: this.#clock,
      minIntervalMs,
      refreshMs: ages ? refreshMs : null,
    });
    this.#topics.set(question.name, topic as Topic<unknown>);
    return topic;
  }

  /** Also when one is deleted: evaluating says so. */
  #nextRecord(definitions: readonly StreamDefinition[], signal: AbortSignal): Promise<void> {
    const lives = definitions.map(({ incarnation }) => this.#streams.get(incarnation));
    if (lives.includes(undefined)) return Promise.resolve();
    return Promise.race(lives.map(live => live!.nextRecord(signal)));
  }
}
