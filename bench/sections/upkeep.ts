import { join } from 'node:path';
import { systemClock } from '../../src/base/index.ts';
import { Tailwater } from '../../src/index.ts';
import { type BenchContext, type Figure, type Section, timed } from '../lib/figures.ts';
import { fillPrices, scaledRows } from '../lib/prices.ts';

const ROWS = 10_000_000;
const ROWS_PER_COMPACTION = 500_000;
const EXPIRED_ROWS = 500_000;
const DAY_MS = 86_400_000;
const MAX_RSS_BYTES = 1024 ** 3;
const SAMPLE_MS = 100;

export const upkeep: Section = {
  name: 'upkeep',
  title: 'Rewriting a large Iceberg table and taking out what has expired, in the memory of one process that does everything',
  async run(context) {
    let aheadMs = 0;
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
    const tailwater = await Tailwater.open({
      ...{ dataDir: join(context.folder, 'data'), clock, compaction: { auto: false }, compactionHost: 'inline' },
      collection: { auto: false, graceMs: 0, logHistoryMs: 0 },
    });
    // Merged only when it is asked for.
    const maintenance = { compactionsPerOptimize: 1_000_000 };
    await tailwater.createStream('rows', { kind: 'append', table: { format: 'iceberg' }, retention: 'P2D', maintenance });
    const expired = scaledRows(EXPIRED_ROWS, context.scale);
    const rows = scaledRows(ROWS, context.scale);
    const filled = await measured(async () => {
      await fill(tailwater, 0, expired, context);
      aheadMs += DAY_MS;
      await fill(tailwater, expired, rows, context);
    });
    const rewritten = await measured(() => tailwater.compact('rows', { full: true }));
    aheadMs += 1.5 * DAY_MS;
    const expiry = await measured(() => tailwater.compact('rows', { full: true }));
    const { state } = await tailwater.getTable('rows');
    if (state!.rowCount !== rows - expired)
      throw new Error(`${state!.rowCount} rows are left of ${rows}, ${expired} have expired`);
    await tailwater.close();
    return [
      ...figuresOf(`writing and compacting ${rows} rows`, filled, rows),
      ...figuresOf(`rewriting ${rows} rows into files of the target size`, rewritten, rows),
      ...figuresOf(`taking ${expired} expired rows out of ${rows}`, expiry, expired),
    ];
  },
};

async function fill(tailwater: Tailwater, first: number, end: number, context: BenchContext): Promise<void> {
  for (let start = first; start < end; start += ROWS_PER_COMPACTION) {
    const next = Math.min(end, start + ROWS_PER_COMPACTION);
    await fillPrices(tailwater, 'rows', 'prices', start, next);
    await tailwater.compact('rows');
    await tailwater.collect();
    context.log(`${next} rows`);
  }
}

interface Measured {
  milliseconds: number;
  cpuMilliseconds: number;
  /** The most of this process, as sampled. */
  rssBytes: number;
}

async function measured(work: () => Promise<unknown>): Promise<Measured> {
  let rssBytes = 0;
  const sampler = setInterval(() => {
    rssBytes = Math.max(rssBytes, process.memoryUsage.rss());
  }, SAMPLE_MS);
  const cpu = process.cpuUsage();
  const milliseconds = await timed(work);
  clearInterval(sampler);
  const { user, system } = process.cpuUsage(cpu);
  return { milliseconds, cpuMilliseconds: (user + system) / 1000, rssBytes };
}

function figuresOf(what: string, { milliseconds, cpuMilliseconds, rssBytes }: Measured, rows: number): Figure[] {
  return [
    { name: `memory of ${what}`, value: rssBytes, unit: 'B', goal: { atMost: MAX_RSS_BYTES } },
    {
      ...{ name: what, value: (rows / milliseconds) * 1000, unit: 'rows/s', goal: null },
      note: `${(milliseconds / 1000).toFixed(1)} s, CPU ${(cpuMilliseconds / 1000).toFixed(1)} s`,
    },
  ];
}
