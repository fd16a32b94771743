import type { Clock, Logger } from '../../base/index.ts';
import type { LocalRates } from './local-rates.ts';
import type { Ask, RateLimiter, Verdict } from './rates.ts';

/** What answers later than this has not answered: a request must not notice. */
const PATIENCE_MS = 20;
/** While it does not answer, it is asked once in so long, and nobody waits for it. */
const RETRY_MS = 1000;
const LOG_EVERY_MS = 60_000;

/** Buckets that nodes share, elsewhere. May fail, be slow, and forget. */
export interface RemoteRates {
  /** Whether asking has a chance at the moment. */
  readonly isReady: boolean;
  take(who: string, asks: readonly Ask[]): Promise<Verdict>;
  charge(who: string, asks: readonly Ask[]): Promise<void>;
}

export interface SharedRatesOptions {
  own: LocalRates;
  remote: RemoteRates;
  clock: Clock;
  logger: Logger;
}

/**
 * Limits by buckets that all nodes share; while these cannot be asked, by this node's own, at once. Its own buckets are charged with all
 * that the node lets through, so they know what happened before an outage, and still bound it when the shared ones are emptied.
 */
export class SharedRates implements RateLimiter {
  readonly #own: LocalRates;
  readonly #remote: RemoteRates;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #counts = { alone: 0, outages: 0 };
  /** When it is asked again; null while it answers. */
  #retryAtMs: number | null = null;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor({ own, remote, clock, logger }: SharedRatesOptions) {
    this.#own = own;
    this.#remote = remote;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Whether limits are those of all nodes together at the moment. */
  get isShared(): boolean {
    return this.#remote.isReady && this.#retryAtMs === null;
  }

  take(who: string, asks: readonly Ask[]): Verdict | Promise<Verdict> {
    const own = this.#own.look(who, asks);
    if (own.refused !== null) return own;
    if (this.isShared) return this.#takeShared(who, asks);
    this.#probe(who, asks);
    return this.#takeAlone(who, asks);
  }

  charge(who: string, asks: readonly Ask[]): void {
    this.#own.charge(who, asks);
    if (this.isShared) void this.#answered(this.#remote.charge(who, asks));
  }

  stats(): Record<string, number> {
    return { ...this.#own.stats(), shared: this.isShared ? 1 : 0, ...this.#counts };
  }

  async #takeShared(who: string, asks: readonly Ask[]): Promise<Verdict> {
    const atMs = this.#clock.monotonicMs();
    const verdict = await this.#answered(this.#remote.take(who, asks));
    if (verdict === null) return this.#takeAlone(who, asks);
    // As of before it was asked, so that the own bucket is never behind the shared one.
    if (verdict.refused === null) this.#own.charge(who, asks, atMs);
    return verdict;
  }

  #takeAlone(who: string, asks: readonly Ask[]): Verdict {
    this.#counts.alone++;
    return this.#own.take(who, asks);
  }

  /** Asks beside the request, which does not wait, whether the outage is over. */
  #probe(who: string, asks: readonly Ask[]): void {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#remote.isReady || this.#retryAtMs === null || nowMs < this.#retryAtMs) return;
    this.#retryAtMs = nowMs + RETRY_MS;
    void this.#answered(this.#remote.take(who, asks));
  }

  /** Null: it failed, or was too late. */
  async #answered<T>(asked: Promise<T>): Promise<T | null> {
    const late = Promise.withResolvers<null>();
    // A node that was busy itself has its answer a turn later.
    const timer = this.#clock.after(PATIENCE_MS, () => void this.#clock.turn().then(() => late.resolve(null)));
    const answer = await Promise.race([asked.then(value => ({ value })), late.promise]).catch(() => null);
    timer.cancel();
    if (answer === null) this.#lost();
    else this.#found();
    return answer === null ? null : answer.value;
  }

  #lost(): void {
    const nowMs = this.#clock.monotonicMs();
    const isNew = this.#retryAtMs === null;
    this.#retryAtMs = nowMs + RETRY_MS;
    if (!isNew) return;
    this.#counts.outages++;
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) return;
    this.#loggedAtMs = nowMs;
    this.#logger.error({}, 'Redis does not answer in time: until it does, each node limits rates by itself');
  }

  #found(): void {
    if (this.#retryAtMs === null) return;
    this.#retryAtMs = null;
    this.#logger.info({}, 'Redis answers again: nodes share rate limits');
  }
}
