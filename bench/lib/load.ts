import { forked } from './forked.ts';

/** A bounded load of POST requests, run by a process of its own. */
export interface LoadOrder {
  url: string;
  path: string;
  contentType?: string;
  /** Sent again and again, unless `ndjson` says to make bodies. */
  body?: string;
  /** Bodies of this many generated events, each different. */
  ndjson?: { eventsPerRequest: number; bytes: number };
  connections: number;
  requests: number;
  /** Stop after this long, even when requests are left. */
  maxMs?: number;
}

export interface LoadResult {
  requests: number;
  requestsPerSecond: number;
  seconds: number;
  bytes: number;
  statuses: Record<string, number>;
  p50Ms: number;
  p99Ms: number;
}

export function runLoad(order: LoadOrder): Promise<LoadResult> {
  return forked(new URL('./load-process.ts', import.meta.url), order);
}
