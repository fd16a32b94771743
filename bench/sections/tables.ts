import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/base/index.ts';
import { Tailwater } from '../../src/index.ts';
import { ndjson } from '../lib/events.ts';
import { type BenchContext, type Figure, percentile, type Section, sorted, timed } from '../lib/figures.ts';

const EVENTS = 200_000;
const BATCH = 10_000;
const COMMITS = 1000;
/** Commits around the 10th and the last that are compared. */
const WINDOW = 20;
const DAY_MS = 86_400_000;

export const tables: Section = {
  name: 'tables',
  title: 'Upkeep of tables: bytes kept beside those of the table alone, and commits to a table of many snapshots',
  async run(context) {
    const bytes = [await bytesKept(context, 'iceberg'), await bytesKept(context, 'lance')];
    return [...bytes, ...(await commitLatency(context))];
  },
};

/** Compacted in many commits; then the history passes, as a clock that is set says, and what nothing needs is collected. */
async function bytesKept(context: BenchContext, format: 'iceberg' | 'lance'): Promise<Figure> {
  const count = Math.ceil((EVENTS * context.scale) / BATCH) * BATCH;
  const grown = await folderBytes(context, format, `${format}-grown`, count, BATCH * 2);
  const alone = await folderBytes(context, format, `${format}-alone`, count, count);
  return {
    name: `bytes kept by a store of ${format} after many commits / table written at once`,
    value: grown.folder / alone.table,
    unit: 'x',
    goal: { atMost: 1.05 },
    beside: { name: 'bytes of the table', value: alone.table, unit: 'B' },
    note: `of the grown folder, ${Math.round((grown.table / grown.folder) * 1000) / 10} % are the table's`,
  };
}

async function folderBytes(
  context: BenchContext,
  format: 'iceberg' | 'lance',
  name: string,
  count: number,
  rowsPerCommit: number,
): Promise<{ folder: number; table: number }> {
  const dataDir = join(context.folder, name);
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const tailwater = await Tailwater.open({
    dataDir,
    clock,
    compaction: { auto: false },
    compactionHost: 'inline',
    collection: { auto: false, graceMs: 0, logHistoryMs: 0 },
  });
  await tailwater.createStream('rows', {
    kind: 'append',
    table: { format },
    history: 'P1D',
    maintenance: { compactionsPerOptimize: 4 },
  });
  for (let first = 0; first < count; first += BATCH) {
    await tailwater.appendNdjson('rows', ndjson(first, BATCH));
    if ((first + BATCH) % rowsPerCommit === 0) await tailwater.compact('rows', { full: true });
  }
  await tailwater.compact('rows', { full: true });
  aheadMs = 2 * DAY_MS;
  await tailwater.appendNdjson('rows', ndjson(count, 1));
  await tailwater.compact('rows', { full: true });
  aheadMs = 4 * DAY_MS;
  for (let run = 0; run < 2; run++) await tailwater.collect({ thorough: true });
  await tailwater.close();
  return { folder: bytesOf(dataDir), table: bytesOf(join(dataDir, format)) };
}

async function commitLatency(context: BenchContext): Promise<Figure[]> {
  const commits = Math.max(WINDOW * 2, Math.ceil(COMMITS * context.scale));
  const tailwater = await Tailwater.open({
    dataDir: join(context.folder, 'commits'),
    compaction: { auto: false },
    compactionHost: 'inline',
    collection: { auto: false },
  });
  await tailwater.createStream('rows', { kind: 'append' });
  const milliseconds: number[] = [];
  for (let at = 0; at < commits; at++) {
    await tailwater.appendNdjson('rows', ndjson(at, 1));
    milliseconds.push(await timed(() => tailwater.compact('rows')));
  }
  await tailwater.close();
  const early = sorted(milliseconds.slice(WINDOW / 4, WINDOW + WINDOW / 4));
  const late = sorted(milliseconds.slice(-WINDOW));
  return [0.5, 0.99].map(share => ({
    name: `commit to a table of ${commits} snapshots, p${share * 100}`,
    value: percentile(late, share),
    unit: 'ms',
    goal: null,
    beside: { name: 'around the 10th', value: percentile(early, share), unit: 'ms' },
  }));
}

function bytesOf(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  return entries.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
