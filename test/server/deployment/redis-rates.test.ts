import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger, systemClock } from '../../../src/base/index.ts';
import { RedisLink } from '../../../src/server/deployment/redis/redis-link.ts';
import { RedisRates } from '../../../src/server/deployment/redis/redis-rates.ts';
import { LocalRates } from '../../../src/server/limits/local-rates.ts';
import type { Ask } from '../../../src/server/limits/rates.ts';
import { SharedRates } from '../../../src/server/limits/shared-rates.ts';
import { rateLimiterConformance } from '../../conformance/rate-limiter.ts';
import { hasRedis, RedisServer } from '../../harness/redis-server.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';

async function untilTrue(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let step = 0; !(await holds()); step++) {
    expect(step).toBeLessThan(1500);
    await systemClock.sleep(20);
  }
}

if (!hasRedis()) {
  test('rate limits by Redis are left out', () => {
    console.log('Left out: rate limits by Redis. To include them: install redis-server');
    expect(hasRedis()).toBe(false);
  });
} else {
  let server: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.close());

  const linkTo = async (prefix: string): Promise<RedisLink> => {
    const link = new RedisLink({ url: server.url, prefix }, systemClock, silentLogger);
    await untilTrue(() => link.isReady);
    return link;
  };
  const virtualWorld = async () => {
    const clock = new VirtualClock();
    const link = await linkTo(`rates-${prefixes++}`);
    const remote = new RedisRates(link, () => clock.nowMs());
    return { clock, remote, advance: (ms: number) => clock.advance(ms), close: async () => link.close() };
  };

  rateLimiterConformance('in Redis', async () => {
    const { remote, advance, close } = await virtualWorld();
    return { limiter: { take: remote.take.bind(remote), charge: remote.charge.bind(remote), stats: () => ({}) }, advance, close };
  });

  rateLimiterConformance('shared by Redis', async () => {
    const { clock, remote, advance, close } = await virtualWorld();
    const rates = new SharedRates({ own: new LocalRates(clock), remote, clock, logger: silentLogger });
    return { limiter: rates, advance, close };
  });

  describe('nodes that share a Redis', () => {
    /** Nothing comes back while a test runs. */
    const asks: Ask[] = [{ of: 'requests', rate: { perSecond: 1e-4, burst: 10 }, amount: 1 }];

    test('let through together what one may, by the clock of Redis; killed, emptied or away, what each may, and nothing fails', async () => {
      const prefix = `rates-${prefixes++}`;
      const links = await Promise.all([linkTo(prefix), linkTo(prefix)]);
      const nodes = links.map(
        link =>
          new SharedRates({
            own: new LocalRates(systemClock),
            remote: new RedisRates(link),
            clock: systemClock,
            logger: silentLogger,
          }),
      );
      const admitted = async (who: string, each: number): Promise<number> => {
        const verdicts = await Promise.all(nodes.flatMap(node => Array.from({ length: each }, async () => node.take(who, asks))));
        return verdicts.filter(({ refused }) => refused === null).length;
      };
      // Until a first answer comes in time, which a busy machine may not give.
      await untilTrue(async () => {
        for (const [n, node] of nodes.entries()) await node.take(`warm-${n}-${prefixes++}`, asks);
        return nodes.every(node => node.isShared);
      });
      const alone = (): number => nodes.reduce((sum, node) => sum + node.stats().alone, 0);
      const aloneBefore = alone();
      const together = await admitted('key:a', 15);
      if (alone() === aloneBefore) expect(together).toBe(10);
      expect(await links[0].client.pttl(`${prefix}:rate:{key:a}:requests`)).toBeGreaterThan(0);

      await links[0].client.flushall();
      const afterwards = await admitted('key:a', 15);
      expect(together + afterwards).toBeLessThanOrEqual(20);

      await server.kill();
      expect(await admitted('key:b', 15)).toBe(20);
      expect(await admitted('key:a', 15)).toBeLessThanOrEqual(20 - together - afterwards);
      await server.start();
      await untilTrue(() => links.every(link => link.isReady));
      expect(await admitted('key:b', 15)).toBe(0);
      for (const link of links) link.close();
    });
  });
}
