import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom, silentLogger, systemClock } from '../../../src/base/index.ts';
import { CompactionQueue } from '../../../src/lakehouse/index.ts';
import type { Hint } from '../../../src/server/deployment/hints.ts';
import { BullQueue } from '../../../src/server/deployment/redis/bull-queue.ts';
import { RedisHints } from '../../../src/server/deployment/redis/redis-hints.ts';
import { RedisLink } from '../../../src/server/deployment/redis/redis-link.ts';
import { compactionRequestsConformance, recordedRuns } from '../../conformance/compaction-requests.ts';
import { hasRedis, RedisServer } from '../../harness/redis-server.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';

compactionRequestsConformance('in the process', async () => {
  const { runs, run } = recordedRuns();
  const clock = new VirtualClock();
  const queue = new CompactionQueue({ clock, random: seededRandom(1), run, maxAttempts: 3 });
  const until = async (holds: () => boolean): Promise<void> => {
    for (let step = 0; !holds() && step < 1000; step++) await clock.advance(10);
    expect(holds()).toBe(true);
  };
  return { queue, runs, until, settle: () => clock.advance(0), close: () => queue.close() };
});

async function untilTrue(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let step = 0; !(await holds()); step++) {
    expect(step).toBeLessThan(1500);
    await systemClock.sleep(20);
  }
}

if (!hasRedis()) {
  test('BullMQ on a real Redis is left out', () => {
    console.log('Left out: the queue and hints by Redis. To include them: install redis-server');
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
  const openNode = async (prefix = `test-${prefixes++}`, lockMs = 15_000) => {
    const { runs, run } = recordedRuns();
    const link = await linkTo(prefix);
    const queue = new BullQueue({ link, clock: systemClock, run, maxAttempts: 3, baseDelayMs: 50, lockMs });
    const close = async (): Promise<void> => {
      for (const each of runs) each.finish();
      await queue.close();
      link.close();
    };
    return { link, queue, runs, until: untilTrue, settle: () => systemClock.sleep(150), close };
  };

  compactionRequestsConformance('BullMQ', () => openNode());

  describe('nodes that share Redis', () => {
    test('one of them does what both ask for, and both are told', async () => {
      const [a, b] = [await openNode('both'), await openNode('both')];
      const asked = [a.queue.request('s', 5), b.queue.request('s', 5)];
      await untilTrue(() => a.runs.length + b.runs.length > 0);
      await systemClock.sleep(200);
      const all = [...a.runs, ...b.runs];
      expect(all).toHaveLength(1);
      all[0].finish();
      await Promise.all(asked);
      await Promise.all([a.close(), b.close()]);
    });

    test('what a node that vanished was doing is done by another', async () => {
      const [a, b] = [await openNode('dies', 1000), await openNode('dies', 1000)];
      const asked = a.queue.request('s', 5).catch(() => {});
      await untilTrue(() => a.runs.length + b.runs.length > 0);
      const [dead, alive] = a.runs.length > 0 ? [a, b] : [b, a];
      const again = alive.queue.request('s', 5);
      dead.link.close();
      await untilTrue(() => alive.runs.length > 0);
      alive.runs[0].finish();
      await again;
      await Promise.all([alive.close(), dead.close(), asked]);
    }, 60_000);

    test('an emptied Redis forgets jobs, not those who wait for them', async () => {
      const node = await openNode();
      const running = node.queue.request('r', 1);
      await untilTrue(() => node.runs.length === 1);
      const waiting = node.queue.request('w', 1);
      await node.settle();
      await node.link.client.flushall();
      node.runs[0].finish();
      // The running job's end has nowhere to be written: it is asked for again, and changes nothing.
      let done = 0;
      for (const each of [running, waiting]) void each.then(() => done++);
      await untilTrue(() => {
        for (const run of node.runs) run.finish();
        return done === 2;
      });
      await node.close();
    }, 60_000);

    test('killed, Redis fails requests at once; back and empty, it serves as before, hints as well', async () => {
      const [a, b] = [await openNode('killed'), await openNode('killed')];
      const [hintsA, hintsB] = [new RedisHints(a.link, 'a'), new RedisHints(b.link, 'b')];
      const heard: Hint[] = [];
      hintsA.subscribe(() => expect.unreachable());
      hintsB.subscribe(hint => heard.push(hint));
      let seq = 0;
      const hintsArrive = () => {
        hintsA.publish({ kind: 'segment', shard: 0, seq: ++seq });
        return heard.some(hint => hint.kind === 'segment' && hint.seq > seq - 5);
      };
      await untilTrue(hintsArrive);
      const asked = a.queue.request('s', 1).catch(error => error.code);
      await server.kill();
      expect(await asked).toBe('TW_QUEUE_UNAVAILABLE');
      await untilTrue(() => !a.link.isReady && !b.link.isReady);
      await expect(a.queue.request('s', 1)).rejects.toMatchObject({ code: 'TW_QUEUE_UNAVAILABLE' });
      hintsA.publish({ kind: 'catalog' });
      for (const run of [...a.runs, ...b.runs]) run.finish();

      await server.start();
      await untilTrue(() => a.link.isReady && b.link.isReady);
      heard.length = 0;
      await untilTrue(hintsArrive);
      const after = a.queue.request('s', 2);
      let done = false;
      void after.then(() => {
        done = true;
      });
      await untilTrue(() => {
        for (const run of [...a.runs, ...b.runs]) run.finish();
        return done;
      });
      await Promise.all([a.close(), b.close()]);
    }, 90_000);

    test('nodes that start without Redis use it as soon as it is there', async () => {
      await server.kill();
      const { runs, run } = recordedRuns();
      const link = new RedisLink({ url: server.url, prefix: 'late' }, systemClock, silentLogger);
      const queue = new BullQueue({ link, clock: systemClock, run });
      await expect(queue.request('s', 1)).rejects.toMatchObject({ code: 'TW_QUEUE_UNAVAILABLE' });
      await systemClock.sleep(300);
      await server.start();
      await untilTrue(() => link.isReady);
      const asked = queue.request('s', 1);
      await untilTrue(() => runs.length === 1);
      runs[0].finish();
      await asked;
      await queue.close();
      link.close();
    }, 60_000);

    test('a Redis that is silent counts as gone, until it speaks', async () => {
      const node = await openNode();
      server.signal('SIGSTOP');
      await untilTrue(() => !node.link.isReady);
      await expect(node.queue.request('s', 1)).rejects.toMatchObject({ code: 'TW_QUEUE_UNAVAILABLE' });
      server.signal('SIGCONT');
      await untilTrue(() => node.link.isReady);
      await node.close();
    }, 60_000);
  });
}
