import type { Tailwater } from '../../src/index.ts';

const ITEMS = 1_000;
const BATCH = 20_000;

export type BenchFormat = 'iceberg' | 'lance';

export const BENCH_FORMATS: readonly BenchFormat[] = ['iceberg', 'lance'];

/** A number of rows in whole batches. */
export function scaledRows(rows: number, scale: number): number {
  return Math.ceil((rows * scale) / BATCH) * BATCH;
}

/** Rows [first, end) of a stream of prices, or of trades; both begin at 0. */
export async function fillPrices(
  tailwater: Tailwater,
  name: string,
  kind: 'prices' | 'trades',
  first: number,
  end: number,
): Promise<void> {
  for (let start = first; start < end; start += BATCH) {
    const count = Math.min(BATCH, end - start);
    await tailwater.appendNdjson(name, Array.from({ length: count }, (_, at) => lineOf(kind, start + at)).join('\n'));
  }
}

/** Prices come every 1 ms, trades every 10 ms. */
function lineOf(kind: 'prices' | 'trades', index: number): string {
  const item = `item-${(index * 7919) % ITEMS}`;
  if (kind === 'trades') return `{"item":"${item}","at":${index * 10 + 5},"n":${index % 9}}`;
  return `{"item":"${item}","at":${index},"price":${(index % 1000) / 8 + 0.5},"note":"price ${index} of ${item} in the shop"}`;
}

export interface Cost {
  milliseconds: number;
  /** Of all threads of the process. */
  cpuMilliseconds: number;
}

/** The least of each of `rounds` runs. */
export async function cheapest(rounds: number, work: () => Promise<unknown>): Promise<Cost> {
  const best = { milliseconds: Number.POSITIVE_INFINITY, cpuMilliseconds: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round++) {
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    await work();
    const { user, system } = process.cpuUsage(cpu);
    best.milliseconds = Math.min(best.milliseconds, performance.now() - startedMs);
    best.cpuMilliseconds = Math.min(best.cpuMilliseconds, (user + system) / 1000);
  }
  return best;
}
