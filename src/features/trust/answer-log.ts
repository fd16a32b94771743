import { type JsonObject, type JsonValue, type Logger, type Random, TailwaterError } from '../../base/index.ts';
import { type ObjectStore, VersionedDocument } from '../../storage/index.ts';
import type { OnlineAnswer, OnlineRequest } from '../engine/engine-types.ts';

/** One entity of an online answer, as it is kept. */
export type LoggedAnswer = JsonObject & {
  version: string;
  entity: JsonValue;
  /** The instant of the answer, ISO 8601. */
  asOf: string;
  /** The position of the answer. */
  token: string;
  /** What on-demand features were given. */
  request: JsonObject;
  values: JsonObject;
};

export interface AnswerLogOptions {
  store: ObjectStore;
  random: Random;
  logger: Logger;
  /** Creates the stream when it is not there. */
  createStream(stream: string): Promise<void>;
  append(stream: string, records: readonly { time: string; value: JsonObject }[]): Promise<unknown>;
}

interface LoggedViews {
  formatVersion: 1;
  /** Share of answers that are kept, by view. */
  rates: Record<string, number>;
}

const MAX_WAITING = 10_000;
const MAX_BATCH = 1000;

/** The stream that answers of a view are kept in. */
export function answersStream(view: string): string {
  return `${view}.answers`;
}

/**
 * Keeps a share of the online answers of views that ask for it in a stream of their own. An answer never waits for it, nor fails with it: what does not
 * fit the waiting list, or cannot be written, is left out and counted.
 */
export class AnswerLog {
  readonly #options: AnswerLogOptions;
  readonly #document: VersionedDocument<LoggedViews>;
  #rates = new Map<string, number>();
  readonly #waiting = new Map<string, LoggedAnswer[]>();
  #count = 0;
  #writing: Promise<void> | null = null;
  #written = 0;
  #dropped = 0;

  private constructor(options: AnswerLogOptions) {
    this.#options = options;
    this.#document = new VersionedDocument<LoggedViews>(options.store, 'features/answer-logs', undefined, options.random);
  }

  static async open(options: AnswerLogOptions): Promise<AnswerLog> {
    const log = new AnswerLog(options);
    await log.look();
    return log;
  }

  /** Takes over what is stored: another node may have changed it. */
  async look(): Promise<void> {
    this.#rates = new Map(Object.entries((await this.#document.read())?.value.rates ?? {}));
  }

  /** `rate`: the share of answers that are kept, 0 to 1; 0 keeps none. Throws TW_BAD_REQUEST. */
  async set(view: string, rate: number): Promise<void> {
    if (!(rate >= 0 && rate <= 1)) throw new TailwaterError('TW_BAD_REQUEST', { detail: 'rate must be between 0 and 1.' });
    if (rate > 0) await this.#options.createStream(answersStream(view));
    const stored = await this.#document.update(known => {
      const { [view]: _, ...others } = known?.rates ?? {};
      return { formatVersion: 1, rates: rate === 0 ? others : { ...others, [view]: rate } };
    });
    this.#rates = new Map(Object.entries(stored!.rates));
  }

  rateOf(view: string): number {
    return this.#rates.get(view) ?? 0;
  }

  /** Answers of a named instant are not kept: they know what came after it. */
  take(answer: OnlineAnswer, request: OnlineRequest): void {
    const rate = this.#rates.get(answer.view);
    if (rate === undefined || request.asOf !== undefined || this.#options.random.float() >= rate) return;
    if (this.#count + answer.entities.length > MAX_WAITING) {
      this.#dropped += answer.entities.length;
      return;
    }
    const waiting = this.#waiting.get(answer.view) ?? [];
    this.#waiting.set(answer.view, waiting);
    waiting.push(...loggedAnswers(answer, request));
    this.#count += answer.entities.length;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
  }

  /** What was taken by now is in the stream, or counted as dropped. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  stats(): Record<string, number> {
    return { answersLogged: this.#written, answersDropped: this.#dropped, answersWaiting: this.#count };
  }

  async #write(): Promise<void> {
    // The answer goes out first.
    await Promise.resolve();
    for (let next = this.#waiting.entries().next().value; next !== undefined; next = this.#waiting.entries().next().value) {
      const [view, waiting] = next;
      const batch = waiting.splice(0, MAX_BATCH);
      if (waiting.length === 0) this.#waiting.delete(view);
      await this.#append(view, batch);
      this.#count -= batch.length;
    }
  }

  async #append(view: string, batch: readonly LoggedAnswer[]): Promise<void> {
    try {
      await this.#options.append(
        answersStream(view),
        batch.map(value => ({ time: value.asOf, value })),
      );
      this.#written += batch.length;
    } catch (error) {
      this.#dropped += batch.length;
      this.#options.logger.warn({ view, reason: String(error) }, 'Online answers could not be logged; they are left out');
    }
  }
}

function loggedAnswers({ version, asOf, token, entities }: OnlineAnswer, { request }: OnlineRequest): LoggedAnswer[] {
  return entities.map(({ entity, values }, index) => ({
    version,
    entity,
    asOf,
    token,
    request: ((Array.isArray(request) ? request[index] : request) ?? {}) as JsonObject,
    values,
  }));
}
