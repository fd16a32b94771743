import { join } from 'node:path';
import { TailwaterClient } from '../../src/client.ts';
import { startNode } from '../../test/cluster/node-on-s3.ts';
import { hasRedis, RedisServer } from '../../test/harness/redis-server.ts';
import { S3Server } from '../../test/kill/s3-server.ts';
import { ndjson } from '../lib/events.ts';
import type { BenchContext, Figure, Section } from '../lib/figures.ts';
import { runLoad } from '../lib/load.ts';
import { describeCounts, type ProxyCounts, type S3Proxy, startS3Proxy, totalOf } from '../lib/s3-proxy.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const EVENT_BYTES = 300;
const EVENTS_PER_REQUEST = 3500;
const REQUEST_BYTES = EVENT_BYTES * EVENTS_PER_REQUEST;
const HOUR_MS = 3_600_000;
/** Two formats of tables. */
const STREAMS = { plain: 'iceberg', searched: 'lance' } as const;

/** Requests and bytes as a proxy before the server counts them: what LanceDB, the compaction process and a second node ask is among them. */
export const s3: Section = {
  name: 's3',
  title: 'S3: requests and bytes of two nodes on one deployment (Iceberg and Lance tables, one node writes, one follows)',
  async run(context) {
    const server = await S3Server.start(join(context.folder, 'objects'));
    const redis = hasRedis() ? await RedisServer.start() : null;
    const env = redis === null ? {} : { TAILWATER_REDIS_URL: redis.url };
    const settings = server.settings('bench');
    const proxy = await startS3Proxy(settings.endpoint);
    const onProxy = { ...settings, endpoint: proxy.endpoint, timeoutMs: 30_000 };
    const writer = await startNode(onProxy, { dataDir: join(context.folder, 'writer'), env });
    const follower = await startNode(onProxy, {
      dataDir: join(context.folder, 'follower'),
      settings: { roles: 'retrieve' },
      env,
    });
    try {
      const client = new TailwaterClient({ url: writer.url, timeoutMs: 600_000 });
      for (const [name, format] of Object.entries(STREAMS))
        await client.createStream(name, { kind: 'append', table: { format } });
      const fast = await atFullSpeed(context, proxy, client, writer.url);
      const idle = await whileIdle(context, proxy);
      const slow = await atOneMiBPerSecond(context, proxy, client);
      return [...fast, slow, idle];
    } finally {
      await follower.end('SIGTERM');
      await writer.end('SIGTERM');
      proxy.close();
      await redis?.close();
      await server.kill();
    }
  },
};

async function atFullSpeed(context: BenchContext, proxy: S3Proxy, client: TailwaterClient, url: string): Promise<Figure[]> {
  await proxy.counts();
  const requests = Math.ceil((GIB * context.scale) / REQUEST_BYTES / 2);
  const loads = await Promise.all(
    Object.keys(STREAMS).map(stream =>
      runLoad({
        url,
        path: `/v1/streams/${stream}/records`,
        contentType: 'application/x-ndjson',
        ndjson: { eventsPerRequest: EVENTS_PER_REQUEST, bytes: EVENT_BYTES },
        connections: 32,
        requests,
      }),
    ),
  );
  const bytes = loads.reduce((sum, load) => sum + load.bytes, 0);
  const seconds = Math.max(...loads.map(load => load.seconds));
  for (const stream of Object.keys(STREAMS)) await client.compact(stream);
  const counts = await proxy.counts();
  context.log(`${Math.round(bytes / MIB)} MiB, ${JSON.stringify(loads.map(load => load.statuses))}: ${describeCounts(counts)}`);
  const perGiB = (count: number): number => (count * GIB) / bytes;
  const write = { value: bytes / seconds / MIB, unit: 'MiB/s' };
  return [
    { name: 'ingest at full speed', ...write, goal: { atLeast: 30 } },
    {
      name: 'requests per GiB, all of them',
      value: perGiB(totalOf(counts)),
      unit: '/GiB',
      goal: { atMost: 300 },
      note: note(counts),
    },
    { name: 'bytes written per byte ingested', value: counts.bytesWritten / bytes, unit: 'x', goal: { atMost: 2.5 } },
  ];
}

async function atOneMiBPerSecond(context: BenchContext, proxy: S3Proxy, client: TailwaterClient): Promise<Figure> {
  const body = ndjson(0, EVENTS_PER_REQUEST, EVENT_BYTES);
  const seconds = Math.ceil(60 * context.scale);
  await proxy.counts();
  const startedMs = performance.now();
  for (let second = 0; second < seconds; second++) {
    await client.appendNdjson('plain', body);
    await new Promise(resolve => setTimeout(resolve, Math.max(0, startedMs + (second + 1) * 1000 - performance.now())));
  }
  const counts = await proxy.counts();
  const value = (totalOf(counts) * GIB) / (seconds * REQUEST_BYTES);
  return { name: 'requests per GiB at 1 MiB/s, before compaction', value, unit: '/GiB', goal: null, note: note(counts) };
}

/** After the intervals of polls have grown. */
async function whileIdle(context: BenchContext, proxy: S3Proxy): Promise<Figure> {
  const [settleMs, watchMs] = [300_000 * context.scale, 240_000 * context.scale];
  await new Promise(resolve => setTimeout(resolve, settleMs));
  await proxy.counts();
  await new Promise(resolve => setTimeout(resolve, watchMs));
  const counts = await proxy.counts();
  return {
    name: 'requests per idle hour, two nodes',
    value: (totalOf(counts) * HOUR_MS) / watchMs,
    unit: '/h',
    goal: null,
    note: note(counts),
  };
}

function note(counts: ProxyCounts): string {
  return describeCounts(counts);
}
