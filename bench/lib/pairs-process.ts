import { TailwaterClient } from '../../src/client.ts';
import { filler } from './events.ts';
import { whenOrdered } from './forked.ts';

/** Pairs of a write and the search for it, at a steady rate. */
export interface PairsOrder {
  url: string;
  stream: string;
  pairs: number;
  pairsPerSecond: number;
  /** Pairs under way at a time, at most. */
  concurrent: number;
}

export interface PairsResult {
  /** From the acknowledgement to the answer of the search, per pair. */
  visibleMs: number[];
  missing: number;
  seconds: number;
}

whenOrdered(run);

async function run(order: PairsOrder): Promise<PairsResult> {
  const client = new TailwaterClient({ url: order.url });
  const result: PairsResult = { visibleMs: [], missing: 0, seconds: 0 };
  const startedMs = performance.now();
  let next = 0;
  const checker = async () => {
    for (let index = next++; index < order.pairs; index = next++) {
      const waitMs = startedMs + (index / order.pairsPerSecond) * 1000 - performance.now();
      if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
      await checkPair(client, order.stream, index, result);
    }
  };
  await Promise.all(Array.from({ length: order.concurrent }, checker));
  result.seconds = (performance.now() - startedMs) / 1000;
  return result;
}

async function checkPair(client: TailwaterClient, stream: string, index: number, result: PairsResult): Promise<void> {
  const marker = `marker${index}x`;
  const { token } = await client.append(stream, [{ value: { marker, text: `${marker} ${filler(index, 200)}` } }]);
  const acknowledgedMs = performance.now();
  const { hits } = await client.query(stream, {
    text: `${marker} parcel`,
    mode: 'hybrid',
    limit: 5,
    consistency: { atLeast: token },
  });
  result.visibleMs.push(performance.now() - acknowledgedMs);
  if (!hits.some(hit => hit.value.marker === marker)) result.missing++;
}
