import { createConnection, type Socket } from 'node:net';
import { ndjson } from './events.ts';
import { percentile, sorted } from './figures.ts';
import { whenOrdered } from './forked.ts';
import type { LoadOrder, LoadResult } from './load.ts';

/**
 * Sends a bounded load over plain sockets, one request at a time on each: cheaper than any HTTP client, so that on two cores the
 * server is what is measured.
 */
whenOrdered(run);

async function run(order: LoadOrder): Promise<LoadResult> {
  const { hostname, port } = new URL(order.url);
  const bodies = order.ndjson ? pregenerate(order) : [new TextEncoder().encode(order.body)];
  const head = (length: number) =>
    `POST ${order.path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: ${order.contentType ?? 'application/json'}\r\nContent-Length: ${length}\r\n\r\n`;
  const requests = bodies.map(body => Buffer.concat([Buffer.from(head(body.length)), body]));
  const latencies: number[] = [];
  const statuses: Record<string, number> = {};
  let left = order.requests;
  let bytes = 0;
  const startedMs = performance.now();
  const connection = async () => {
    const socket = createConnection(Number(port), hostname);
    socket.setNoDelay(true);
    const replies = readReplies(socket);
    while (left > 0 && performance.now() - startedMs < (order.maxMs ?? Number.POSITIVE_INFINITY)) {
      const index = --left % requests.length;
      const sentMs = performance.now();
      socket.write(requests[index]);
      const { value: status } = await replies.next();
      latencies.push(performance.now() - sentMs);
      bytes += bodies[index].length;
      statuses[status as string] = (statuses[status as string] ?? 0) + 1;
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: order.connections }, connection));
  const seconds = (performance.now() - startedMs) / 1000;
  const times = sorted(latencies);
  return {
    requests: latencies.length,
    requestsPerSecond: latencies.length / seconds,
    seconds,
    bytes,
    statuses,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
  };
}

function pregenerate(order: LoadOrder): Uint8Array[] {
  const { eventsPerRequest, bytes } = order.ndjson!;
  const distinct = Math.min(order.requests, Math.max(1, Math.floor(200_000 / eventsPerRequest)));
  return Array.from({ length: distinct }, (_, index) => ndjson(index * eventsPerRequest, eventsPerRequest, bytes));
}

/** Yields the status of each reply; bodies have a Content-Length. */
async function* readReplies(socket: Socket): AsyncGenerator<string> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const end = pending.indexOf('\r\n\r\n');
      if (end < 0) break;
      const head = pending.toString('latin1', 0, end);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (pending.length < end + 4 + length) break;
      pending = pending.subarray(end + 4 + length);
      yield head.slice(9, 12);
    }
  }
}
