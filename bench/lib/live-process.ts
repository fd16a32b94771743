import { TailwaterClient } from '../../src/client.ts';
import { whenOrdered } from './forked.ts';

/** Subscribers that wait for the same thing, and updates at a steady rate. */
export interface LiveOrder {
  url: string;
  stream: string;
  subscribers: number;
  updates: number;
  updatesPerSecond: number;
  emit: 'answers' | 'matches';
}

export interface LiveResult {
  /** From the acknowledgement of an update to when a subscriber has it, per update and subscriber. */
  heardMs: number[];
  missing: number;
  seconds: number;
}

whenOrdered(run);

async function run(order: LiveOrder): Promise<LiveResult> {
  const client = new TailwaterClient({ url: order.url });
  await client.append(order.stream, [{ value: { n: 0 } }]);
  const acknowledged: number[] = [];
  const heard = Array.from({ length: order.subscribers }, () => new Float64Array(order.updates + 1).fill(Number.NaN));
  const stop = new AbortController();
  const readers = heard.map(times => listen(order, times, stop.signal));
  await Promise.all(readers.map(({ begun }) => begun));
  const startedMs = performance.now();
  for (let n = 1; n <= order.updates; n++) {
    const waitMs = startedMs + (n / order.updatesPerSecond) * 1000 - performance.now();
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    await client.append(order.stream, [{ value: { n } }]);
    acknowledged[n] = performance.now();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  await new Promise(resolve => setTimeout(resolve, 2000));
  stop.abort();
  await Promise.all(readers.map(({ ended }) => ended));
  const result: LiveResult = { heardMs: [], missing: 0, seconds };
  for (const times of heard) {
    for (let n = 1; n <= order.updates; n++) {
      if (Number.isNaN(times[n])) result.missing++;
      else result.heardMs.push(Math.max(0, times[n] - acknowledged[n]));
    }
  }
  return result;
}

function listen(
  { url, stream, emit }: LiveOrder,
  times: Float64Array,
  signal: AbortSignal,
): { begun: Promise<void>; ended: Promise<void> } {
  let begin: () => void;
  const begun = new Promise<void>(resolve => {
    begin = resolve;
  });
  return { begun, ended: read().catch(error => (signal.aborted ? undefined : Promise.reject(error))) };

  async function read(): Promise<void> {
    const body = JSON.stringify(emit === 'answers' ? { limit: 1 } : { emit, filter: { n: { $gte: 0 } } });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/streams/${stream}/query/live`, { method: 'POST', headers, body, signal });
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      const text = decoder.decode(chunk, { stream: true });
      const now = performance.now();
      // An answer of later ones says what this one said, too.
      for (const [, found] of text.matchAll(/"value":\{"n":(\d+)\}/g)) {
        for (let n = Number(found); n > 0 && Number.isNaN(times[n]); n--) times[n] = now;
      }
      if (text.includes(emit === 'answers' ? 'event: answer' : 'event: ready')) begin();
    }
  }
}
