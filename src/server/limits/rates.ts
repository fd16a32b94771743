/** How much may be taken, as of a bucket that is filled at a steady rate. */
export interface Rate {
  /** Units that come back each second. */
  perSecond: number;
  /** Units that may be taken at once when nothing was taken for a while; at least 1. */
  burst: number;
}

export interface Ask {
  /** Which of the buckets of whoever asks. */
  of: 'requests' | 'bytes';
  rate: Rate;
  /** Units to take: all of them or, when less than one is there, none. What is taken beyond what is there is missing afterwards. */
  amount: number;
}

export interface Standing {
  /** Whole units that are there now. */
  remaining: number;
  /** Until all of the burst is there again. */
  fullInMs: number;
}

export interface Verdict {
  /** Null: it was taken. Else nothing was, of any bucket, and something will be there after so long. */
  retryAfterMs: number | null;
  /** The ask that was refused, or made to wait for longest; null: none. */
  refused: number | null;
  /** One of each ask, after it. */
  standings: Standing[];
}

/**
 * The port for rate limits: the generic cell rate algorithm, one time a bucket, of when it will be full. Never throws, and never waits for
 * longer than some milliseconds. Within any time `t` no more is taken of a bucket than its burst, what comes back in `t`, and what the
 * largest amount has beyond one unit.
 */
export interface RateLimiter {
  /** Takes of several buckets of `who` together, or of none of them. */
  take(who: string, asks: readonly Ask[]): Verdict | Promise<Verdict>;
  /** Takes what turned out to be used beyond what was asked for; never refused. */
  charge(who: string, asks: readonly Ask[]): void | Promise<void>;
  stats(): Record<string, number>;
}

export function msPerUnit({ perSecond }: Rate): number {
  return 1000 / perSecond;
}

/** `missingMs`: of each bucket before the ask, the time until it is full. */
export function judge(asks: readonly Ask[], missingMs: readonly number[]): Verdict {
  let [retryAfterMs, refused]: [number | null, number | null] = [null, null];
  for (const [index, { rate }] of asks.entries()) {
    const waitMs = missingMs[index] - (rate.burst - 1) * msPerUnit(rate);
    if (waitMs > (retryAfterMs ?? 0)) [retryAfterMs, refused] = [waitMs, index];
  }
  const standings = asks.map(({ rate, amount }, index): Standing => {
    const fullInMs = missingMs[index] + (refused === null ? amount * msPerUnit(rate) : 0);
    return { fullInMs, remaining: Math.max(0, Math.floor(rate.burst - fullInMs / msPerUnit(rate) + 1e-6)) };
  });
  return { retryAfterMs, refused, standings };
}
