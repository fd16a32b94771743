import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.ts';
import type { TailwaterClient } from '../../src/client.ts';
import type { S3Settings } from '../../src/storage/index.ts';
import { freshPrefix, makeBucket, realS3 } from '../harness/real-s3.ts';
import { hasRedis, RedisServer } from '../harness/redis-server.ts';
import { type ClusterNode, startNode } from './node-on-s3.ts';

const BATCH = 10;
const RESTLESS = { 'compaction-rows': '100', 'compaction-age-ms': '500' };
/** So that only a hint makes a node look soon. */
const RARE_POLLS = { 'cluster-log-poll-ms': '60000', 'cluster-idle-log-poll-ms': '60000' };

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (let waited = 0; !(await holds()); waited++) {
    if (waited > 300) throw new Error(`Waited too long: ${what}`);
    await systemClock.sleep(100);
  }
}

async function metric(node: ClusterNode, name: string): Promise<number> {
  const line = (await node.client.metrics()).split('\n').find(text => text.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.split(' ')[1]);
}

/** Every id of the stream as this node reads it after the position. */
async function idsOf(client: TailwaterClient, atLeast: string): Promise<string[]> {
  const ids: string[] = [];
  let from: number | 'earliest' = 'earliest';
  for (;;) {
    const page = await client.read('events', { from, limit: 1000, consistency: { atLeast } });
    ids.push(...page.records.map(({ value }) => (value as { id: string }).id));
    if (page.records.length === 0) return ids;
    from = page.next;
  }
}

const s3 = realS3();
if (s3 === null || !hasRedis()) {
  test('nodes that share Redis are left out', () => {
    console.log(
      'Left out: nodes on S3 and Redis. To include them: install redis-server; eval "$(test/storage/real-s3.sh start)"',
    );
    expect(s3 !== null && hasRedis()).toBe(false);
  });
} else {
  describe('nodes on one S3 deployment that share Redis', () => {
    let folder: string;
    let settings: S3Settings;
    let redis: RedisServer;
    const nodes: ClusterNode[] = [];
    const startOne = async (name: string, roles: string, more: Record<string, string> = {}): Promise<ClusterNode> => {
      const all = { ...RESTLESS, roles, ...more };
      const env = { TAILWATER_REDIS_URL: redis.url };
      const node = await startNode(settings, { dataDir: join(folder, name), settings: all, env });
      nodes.push(node);
      return node;
    };
    beforeAll(async () => {
      await makeBucket(s3);
      folder = await mkdtemp(join(tmpdir(), 'tailwater-redis-cluster-'));
      settings = { ...s3, prefix: freshPrefix('redis') };
      redis = await RedisServer.start();
    });
    afterAll(async () => {
      for (const node of nodes) await node.end('SIGKILL');
      await redis.close();
      await rm(folder, { recursive: true, force: true });
    });

    /** Appends until told to stop, each batch under a key until it is acknowledged. */
    async function load(clients: readonly TailwaterClient[], writer: string, stop: () => boolean): Promise<string[]> {
      const ids: string[] = [];
      for (let batch = 0; !stop(); batch++) {
        const records = Array.from({ length: BATCH }, (_, at) => ({ value: { id: `${writer}-${batch}-${at}` } }));
        for (let attempt = 0; ; attempt++) {
          try {
            await clients[(batch + attempt) % clients.length].append('events', records, { idempotencyKey: `${writer}-${batch}` });
            break;
          } catch (error) {
            if (attempt > 50) throw error;
            await systemClock.sleep(50);
          }
        }
        ids.push(...records.map(({ value }) => value.id));
      }
      return ids;
    }

    test('Redis and a worker killed under load: what was acknowledged is there once, and compaction goes on', async () => {
      const [a, b] = [await startOne('a', 'ingest,retrieve'), await startOne('b', 'ingest,retrieve')];
      const [w, x] = [await startOne('w', 'work'), await startOne('x', 'work')];
      await a.client.createStream('events', { kind: 'append' });
      const rows = async (node: ClusterNode): Promise<number> =>
        (await node.client.getTable('events').catch(() => null))?.state?.rowCount ?? 0;
      const goesOn = async (node: ClusterNode, when: string): Promise<void> => {
        const before = await rows(node);
        await until(async () => (await rows(node)) > before, `compaction ${when}`);
      };
      const isUp = async (node: ClusterNode): Promise<boolean> => (await metric(node, 'tailwater_redis_up')) === 1;
      let stopped = false;
      const writers = ['p', 'q'].map(name => load([a.client, b.client], name, () => stopped));
      await goesOn(x, 'with Redis');
      const jobs = async (): Promise<number> => {
        const done = await Promise.all([w, x].map(node => metric(node, 'tailwater_compaction_queue_completed')));
        return done[0] + done[1];
      };
      await until(async () => (await jobs()) > 0, 'the queue is used');

      await w.end('SIGKILL');
      await goesOn(x, 'after a worker was killed');

      await redis.kill();
      await until(async () => !(await isUp(a)) && !(await isUp(x)), 'nodes notice');
      expect(await a.client.health()).toMatchObject({ status: 'ok', warnings: [expect.stringContaining('Redis')] });
      expect((await fetch(`${a.url}/readyz`)).status).toBe(200);
      await goesOn(x, 'without Redis');

      await redis.start();
      await until(async () => (await isUp(a)) && (await isUp(x)), 'nodes come back');
      const completed = await metric(x, 'tailwater_compaction_queue_completed');
      await until(async () => (await metric(x, 'tailwater_compaction_queue_completed')) > completed, 'the queue is used again');
      expect((await a.client.health()).warnings).toBeUndefined();

      stopped = true;
      const expected = (await Promise.all(writers)).flat();
      const last = await a.client.append('events', [{ value: { id: 'last' } }]);
      const { length } = expected;
      for (const { client } of [a, b]) {
        expect((await idsOf(client, last.token)).sort()).toEqual([...expected, 'last'].sort());
        const counted = await client.sql('SELECT count(*) AS records, count(DISTINCT id) AS ids FROM events', {
          consistency: { atLeast: last.token },
        });
        expect(counted.rows).toEqual([[length + 1, length + 1]]);
      }
      expect((await x.client.compact('events')).state!.rowCount).toBe(length + 1);
    }, 240_000);

    test('a record is followed on another node as soon as a hint says so; without Redis as soon as a poll finds it', async () => {
      const [c, d] = [await startOne('c', 'ingest,retrieve', RARE_POLLS), await startOne('d', 'ingest,retrieve', RARE_POLLS)];
      await c.client.createStream('seen', { kind: 'append' });
      // A minute passes between polls: what comes sooner came by a hint.
      const hinted = await visibleMs(c.client, d.client, 'seen', 5);
      expect(Math.max(...hinted)).toBeLessThan(20_000);
      await redis.kill();
      const [e, f] = [await startOne('e', 'ingest,retrieve'), await startOne('f', 'ingest,retrieve')];
      const polled = await visibleMs(e.client, f.client, 'seen', 5);
      expect(polled).toHaveLength(5);
      await redis.start();
    }, 240_000);
  });
}

/** From each acknowledgement by one node until a client that follows another has the record, ms. */
async function visibleMs(from: TailwaterClient, to: TailwaterClient, stream: string, count: number): Promise<number[]> {
  const acknowledgedAtMs: number[] = [];
  const seenAtMs: number[] = [];
  const abort = new AbortController();
  await to.getStream(stream);
  const following = (async () => {
    for await (const _event of to.follow(stream, { from: 'latest', signal: abort.signal })) {
      seenAtMs.push(performance.now());
      if (seenAtMs.length === count) return;
    }
  })();
  await systemClock.sleep(1000);
  for (let id = 0; id < count; id++) {
    await from.append(stream, [{ value: { id } }]);
    acknowledgedAtMs.push(performance.now());
    // Not in step with polls.
    await systemClock.sleep(137 + ((id * 61) % 400));
  }
  await following;
  abort.abort();
  return acknowledgedAtMs.map((ackMs, id) => Math.max(0, seenAtMs[id] - ackMs));
}
