import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Logger } from '../../../src/base/index.ts';
import { LocalRates } from '../../../src/server/limits/local-rates.ts';
import type { Ask, Verdict } from '../../../src/server/limits/rates.ts';
import { type RemoteRates, SharedRates } from '../../../src/server/limits/shared-rates.ts';
import { rateLimiterConformance } from '../../conformance/rate-limiter.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';

rateLimiterConformance('in the process', async () => {
  const clock = new VirtualClock();
  return { limiter: new LocalRates(clock), advance: ms => clock.advance(ms), close: async () => {} };
});

const BURST = 5;
const asks: Ask[] = [{ of: 'requests', rate: { perSecond: 1, burst: BURST }, amount: 1 }];

test('forgets who asked longest ago when there are too many, and nobody else', () => {
  const rates = new LocalRates(new VirtualClock(), 100);
  const isIn = (who: string): boolean => rates.take(who, asks).refused === null;
  for (let n = 0; n < BURST; n++) expect(isIn('often')).toBe(true);
  for (let n = 0; n < 1000; n++) {
    isIn(`once-${n}`);
    if (n % 50 === 0) expect(isIn('often')).toBe(false);
    if (n % 50 === 0) rates.charge('often', [{ ...asks[0], amount: 0 }]);
  }
  expect(rates.stats()).toEqual({ buckets: 100 });
});

type Fault = 'none' | 'fails' | 'silent' | 'away' | 'emptied' | 'full';

/** Buckets that others share, and what can happen to them. */
function faultyRemote(clock: VirtualClock) {
  let rates = new LocalRates(clock);
  const remote = { fault: 'none' as Fault, asked: 0 };
  const answer = <T>(work: () => T): Promise<T> => {
    remote.asked++;
    if (remote.fault === 'fails' || remote.fault === 'away') return Promise.reject(new Error('Connection is closed.'));
    if (remote.fault === 'silent') return new Promise(() => {});
    if (remote.fault === 'emptied') rates = new LocalRates(clock);
    return Promise.resolve(work());
  };
  const port: RemoteRates = {
    get isReady() {
      return remote.fault !== 'away';
    },
    take: (who, what) => answer(() => rates.take(who, what)),
    charge: (who, what) => answer(() => rates.charge(who, what)),
  };
  return { remote, port };
}

function logged(): Logger & { errors: number } {
  const logger = { errors: 0, debug() {}, info() {}, warn() {}, error: () => void logger.errors++ };
  return logger;
}

describe('limits that nodes share', () => {
  const happening = fc.record({
    fault: fc.constantFrom<Fault>('none', 'none', 'fails', 'silent', 'away', 'emptied'),
    requests: fc.integer({ min: 1, max: 8 }),
    afterMs: fc.integer({ min: 0, max: 3000 }),
  });

  test('whatever happens to what they share, answer within 20 ms, never fail, and let through no more than one node alone would', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async happenings => {
        const clock = new VirtualClock();
        const { remote, port } = faultyRemote(clock);
        const rates = new SharedRates({ own: new LocalRates(clock), remote: port, clock, logger: logged() });
        const startMs = clock.nowMs();
        let admitted = 0;
        for (const { fault, requests, afterMs } of happenings) {
          remote.fault = fault;
          for (let n = 0; n < requests; n++) {
            const verdict = await within20Ms(clock, rates.take('key:a', asks));
            if (verdict.refused === null) admitted++;
            expect(admitted).toBeLessThanOrEqual(BURST + (clock.nowMs() - startMs) / 1000);
          }
          await clock.advance(afterMs);
        }
      }),
    );
  });

  test('are each node’s own during an outage, which nobody waits for but who finds it, are logged once, and shared again after it', async () => {
    const clock = new VirtualClock();
    const logger = logged();
    const { remote, port } = faultyRemote(clock);
    const nodes = [1, 2].map(() => new SharedRates({ own: new LocalRates(clock), remote: port, clock, logger }));
    const admittedOf = async (node: SharedRates, count: number): Promise<number> => {
      let admitted = 0;
      for (let n = 0; n < count; n++) if ((await within20Ms(clock, node.take('key:a', asks))).refused === null) admitted++;
      return admitted;
    };
    expect([await admittedOf(nodes[0], 3), await admittedOf(nodes[1], 9)]).toEqual([3, BURST - 3]);

    await clock.advance(60_000);
    remote.fault = 'silent';
    const [lostMs, askedBefore] = [clock.nowMs(), remote.asked];
    expect([await admittedOf(nodes[0], 9), await admittedOf(nodes[1], 9)]).toEqual([BURST, BURST]);
    expect([clock.nowMs() - lostMs, remote.asked - askedBefore]).toEqual([40, 2]);
    for (let second = 0; second < 30; second++) {
      await clock.advance(1000);
      for (const node of nodes) await admittedOf(node, 2);
    }
    expect(logger.errors).toBe(2);
    expect(nodes.map(node => [node.isShared, node.stats().outages])).toEqual([
      [false, 1],
      [false, 1],
    ]);

    remote.fault = 'none';
    await clock.advance(60_000);
    for (const node of nodes) await admittedOf(node, 1);
    await clock.advance(60_000);
    expect(nodes.map(node => node.isShared)).toEqual([true, true]);
    expect([await admittedOf(nodes[0], 2), await admittedOf(nodes[1], 9)]).toEqual([2, BURST - 2]);
  });
});

/** Time goes by until there is an answer. */
async function within20Ms(clock: VirtualClock, asked: Verdict | Promise<Verdict>): Promise<Verdict> {
  let answer: Verdict | null = null;
  const done = Promise.resolve(asked).then(verdict => {
    answer = verdict;
  });
  for (let ms = 0; ms <= 20 && answer === null; ms++) {
    await clock.advance(0);
    if (answer === null) await clock.advance(1);
  }
  expect(answer).not.toBeNull();
  await done;
  return answer!;
}
