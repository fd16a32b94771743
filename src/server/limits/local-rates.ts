import type { Clock } from '../../base/index.ts';
import { type Ask, judge, msPerUnit, type RateLimiter, type Verdict } from './rates.ts';

const MAX_BUCKETS = 20_000;

/** Buckets in this process: of the `maxBuckets` that were asked last; one that is forgotten is full. */
export class LocalRates implements RateLimiter {
  readonly #clock: Clock;
  readonly #maxBuckets: number;
  /** When each will be full, the longest unused first. */
  readonly #fullAtMs = new Map<string, number>();

  constructor(clock: Clock, maxBuckets: number = MAX_BUCKETS) {
    this.#clock = clock;
    this.#maxBuckets = maxBuckets;
  }

  take(who: string, asks: readonly Ask[]): Verdict {
    const verdict = this.look(who, asks);
    if (verdict.refused === null) this.charge(who, asks);
    return verdict;
  }

  /** As `take` would answer; takes nothing. */
  look(who: string, asks: readonly Ask[]): Verdict {
    const nowMs = this.#clock.monotonicMs();
    return judge(
      asks,
      asks.map(({ of }) => Math.max(0, (this.#fullAtMs.get(nameOf(who, of)) ?? nowMs) - nowMs)),
    );
  }

  /** `atMs`: when it was taken, of the clock's monotonic time; default now. */
  charge(who: string, asks: readonly Ask[], atMs: number = this.#clock.monotonicMs()): void {
    for (const { of, rate, amount } of asks) {
      const name = nameOf(who, of);
      const fullAtMs = Math.max(this.#fullAtMs.get(name) ?? atMs, atMs) + amount * msPerUnit(rate);
      this.#fullAtMs.delete(name);
      this.#fullAtMs.set(name, fullAtMs);
    }
    while (this.#fullAtMs.size > this.#maxBuckets) this.#fullAtMs.delete(this.#fullAtMs.keys().next().value!);
  }

  stats(): Record<string, number> {
    return { buckets: this.#fullAtMs.size };
  }
}

function nameOf(who: string, of: Ask['of']): string {
  return `${of} ${who}`;
}
