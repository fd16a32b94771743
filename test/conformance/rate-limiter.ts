import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Ask, Rate, RateLimiter } from '../../src/server/limits/rates.ts';

export interface RatesWorld {
  limiter: RateLimiter;
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Of what a bucket is counted in by the model: all its numbers are whole. */
const PARTS = 100_000;

/** A bucket as a plain count of parts, filled as time goes by. */
class Bucket {
  readonly #perMs: number;
  readonly #burst: number;
  parts: number;

  constructor({ perSecond, burst }: Rate) {
    this.#perMs = Math.round(perSecond * 100);
    this.#burst = burst * PARTS;
    this.parts = this.#burst;
  }

  fill(ms: number): void {
    this.parts = Math.min(this.#burst, this.parts + ms * this.#perMs);
  }

  take(amount: number): void {
    this.parts -= amount * PARTS;
  }

  /** Until one unit is there. */
  get waitMs(): number {
    return Math.max(0, PARTS - this.parts) / this.#perMs;
  }
}

// Slow ones: what is kept elsewhere expires by real time when it is full.
const rate = fc.record({ perSecond: fc.constantFrom(0.01, 0.02, 0.05, 0.1), burst: fc.integer({ min: 1, max: 4 }) });
const step = fc.record({
  afterMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 60_000 }) }),
  who: fc.constantFrom('key:a', 'address:::1'),
  of: fc.constantFrom('requests', 'bytes', 'both'),
  bytes: fc.nat(4),
  isCharge: fc.nat(9).map(n => n === 0),
});
let cases = 0;

/** What every limiter does, wherever its buckets are, as long as whoever has them answers. */
export function rateLimiterConformance(name: string, open: () => Promise<RatesWorld>): void {
  describe(`rate limits: ${name}`, () => {
    let world: RatesWorld;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world.close());

    test('takes and refuses what a bucket of whole parts does, of several buckets together or of none', async () => {
      const limits = fc.record({ requests: rate, bytes: rate });
      await fc.assert(
        fc.asyncProperty(limits, fc.array(step, { maxLength: 30 }), async (rates, steps) => {
          const senders = `${cases++}-`;
          const buckets = new Map<string, Bucket>();
          const bucketOf = (who: string, of: Ask['of']): Bucket => {
            const id = `${who} ${of}`;
            if (!buckets.has(id)) buckets.set(id, new Bucket(rates[of]));
            return buckets.get(id)!;
          };
          for (const { afterMs, who, of, bytes, isCharge } of steps) {
            await world.advance(afterMs);
            for (const bucket of buckets.values()) bucket.fill(afterMs);
            const kinds = of === 'both' ? (['requests', 'bytes'] as const) : [of];
            const asks = kinds.map(kind => ({ of: kind, rate: rates[kind], amount: kind === 'bytes' ? bytes : 1 }));
            const own = kinds.map(kind => bucketOf(who, kind));
            const take = (): void => {
              for (const [index, bucket] of own.entries()) bucket.take(asks[index].amount);
            };
            if (isCharge) {
              await world.limiter.charge(senders + who, asks);
              take();
              continue;
            }
            const waitMs = Math.max(...own.map(bucket => bucket.waitMs));
            const verdict = await world.limiter.take(senders + who, asks);
            if (waitMs === 0) take();
            expect(verdict.retryAfterMs).toBe(waitMs === 0 ? null : waitMs);
            expect(verdict.refused === null).toBe(waitMs === 0);
            expect(verdict.standings.map(({ remaining }) => remaining)).toEqual(
              own.map(({ parts }) => Math.max(0, Math.floor(parts / PARTS))),
            );
          }
        }),
        { numRuns: 60 },
      );
    });

    test('lets as many in as it says, whoever asks at once, and the next after the time that it says', async () => {
      const asks: Ask[] = [{ of: 'requests', rate: { perSecond: 0.05, burst: 7 }, amount: 1 }];
      const take = () => world.limiter.take('key:c', asks);
      const verdicts = await Promise.all(Array.from({ length: 20 }, take));
      expect(verdicts.filter(({ refused }) => refused === null)).toHaveLength(7);
      const { retryAfterMs } = await take();
      expect(retryAfterMs).toBe(20_000);
      await world.advance(19_999);
      expect((await take()).refused).toBe(0);
      await world.advance(1);
      expect((await take()).refused).toBeNull();
      expect((await take()).refused).toBe(0);
    });
  });
}
