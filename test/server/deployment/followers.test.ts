import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/index.ts';
import { LogFollower } from '../../../src/server/deployment/log-follower.ts';
import { TableFollower } from '../../../src/server/deployment/table-follower.ts';
import type { LiveStreams } from '../../../src/snapshot/index.ts';
import type { LogShard } from '../../../src/streams/index.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';

const HOUR_MS = 3_600_000;

/** A shard as a follower sees it: others' segments come by `refresh`. */
function shardOf(log: { head: number; own: number }) {
  const shard = { seq: log.head, stats: () => ({ segments: log.own }) };
  let polls = 0;
  const refresh = async (): Promise<void> => {
    polls++;
    shard.seq = log.head;
  };
  return { shard: shard as unknown as LogShard, refresh, polls: () => polls };
}

describe('a node follows a log', () => {
  const settings = { minPollMs: 1000, maxPollMs: 30_000 };

  test('within a poll while others write, and with few requests an hour where nobody does', async () => {
    const clock = new VirtualClock();
    const log = { head: 0, own: 0 };
    const { shard, refresh, polls } = shardOf(log);
    const follower = new LogFollower({ shard, refresh, isAwaited: () => false, clock, settings });
    await clock.advance(HOUR_MS);
    expect(polls()).toBeLessThan(HOUR_MS / settings.maxPollMs + 10);
    log.head++;
    await clock.advance(settings.maxPollMs + settings.minPollMs);
    expect(shard.seq).toBe(1);
    for (let written = 0; written < 60; written++) {
      log.head++;
      await clock.advance(settings.minPollMs + 1);
      // As soon as it has noticed that others write again.
      if (written > 30) expect(log.head - shard.seq).toBeLessThanOrEqual(3);
    }
    await follower.close();
    const before = polls();
    await clock.advance(HOUR_MS);
    expect(polls()).toBe(before);
  });

  test('what it wrote itself does not make it look more often', async () => {
    const clock = new VirtualClock();
    const log = { head: 0, own: 0 };
    const { shard, refresh, polls } = shardOf(log);
    const follower = new LogFollower({ shard, refresh, isAwaited: () => false, clock, settings });
    for (let minute = 0; minute < 60; minute++) {
      // Its replica is at the head with each of its commits.
      log.head += 5;
      log.own += 5;
      await refresh();
      await clock.advance(60_000);
    }
    expect(polls() - 60).toBeLessThan(HOUR_MS / settings.maxPollMs + 10);
    await follower.close();
  });

  test('at once when told of a segment, or when someone begins to wait; a wrong hint costs nothing', async () => {
    const clock = new VirtualClock();
    const log = { head: 0, own: 0 };
    const { shard, refresh, polls } = shardOf(log);
    let isAwaited = false;
    const follower = new LogFollower({ shard, refresh, isAwaited: () => isAwaited, clock, settings });
    await clock.advance(10 * 60_000);
    log.head = 1;
    follower.hinted(1);
    await clock.advance(0);
    expect(shard.seq).toBe(1);
    await clock.advance(10 * 60_000);
    const before = polls();
    follower.hinted(1);
    await clock.advance(0);
    expect(polls()).toBe(before);
    isAwaited = true;
    log.head = 2;
    await clock.advance(2 * settings.minPollMs);
    expect(shard.seq).toBe(2);
    await follower.close();
  });

  test('told of a segment while it looks, it looks once more; told wrongly, no more than that', async () => {
    const clock = new VirtualClock();
    const log = { head: 0, own: 0 };
    const { shard, refresh, polls } = shardOf(log);
    const looking = async (): Promise<void> => {
      await refresh();
      await clock.sleep(50);
    };
    const follower = new LogFollower({ shard, refresh: looking, isAwaited: () => false, clock, settings });
    await clock.advance(10 * 60_000);
    const before = polls();
    log.head = 1;
    follower.hinted(1);
    await clock.advance(10);
    log.head = 2;
    follower.hinted(2);
    await clock.advance(100);
    expect([shard.seq, polls() - before]).toEqual([2, 2]);
    follower.hinted(99);
    await clock.advance(10);
    follower.hinted(99);
    await clock.advance(200);
    expect(polls() - before).toBe(4);
    await follower.close();
  });
});

describe('a node follows tables', () => {
  const settings = { minPollMs: 10_000, maxPollMs: HOUR_MS };

  function world(streams: { incarnation: string; historyMs: number | null }[]) {
    const clock = new VirtualClock();
    const truth = new Map(streams.map(({ incarnation }) => [incarnation, 0]));
    let polls = 0;
    const all = streams.map(({ incarnation, historyMs }) => {
      const stream = {
        definition: { incarnation, name: incarnation, historyMs },
        tail: { lastSegment: 0 },
        newestState: null as { n: number } | null,
        advance: async () => {
          polls++;
          stream.newestState = { n: truth.get(incarnation)! };
        },
      };
      return stream;
    });
    const follower = new TableFollower({
      streams: { all: () => all } as unknown as LiveStreams,
      clock,
      logger: silentLogger,
      settings,
    });
    return { clock, truth, all, polls: () => polls, follower };
  }

  test('soon where records came, and a few times a day where none do', async () => {
    const { clock, truth, all, polls, follower } = world([{ incarnation: 'a', historyMs: null }]);
    await clock.advance(24 * HOUR_MS);
    expect(polls()).toBeLessThan(40);
    all[0].tail.lastSegment = 5;
    truth.set('a', 1);
    await clock.advance(settings.minPollMs + 2000);
    expect(all[0].newestState).toEqual({ n: 1 });
    const before = polls();
    truth.set('a', 2);
    follower.hinted('a');
    await clock.advance(1000);
    expect([polls() - before, all[0].newestState]).toEqual([1, { n: 2 }]);
    follower.close();
  });

  test('of an idle stream within its history, before what is open here may be given up', async () => {
    const { clock, truth, all, follower } = world([{ incarnation: 'a', historyMs: 600_000 }]);
    await clock.advance(5 * HOUR_MS);
    truth.set('a', 7);
    await clock.advance(600_000 / 4 + 2000);
    expect(all[0].newestState).toEqual({ n: 7 });
    follower.close();
  });
});
