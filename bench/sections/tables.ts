import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c, systemClock } from '../../src/base/index.ts';
import { Tailwater } from '../../src/index.ts';
import { ndjson } from '../lib/events.ts';
import { type BenchContext, type Figure, percentile, type Section, sorted, timed } from '../lib/figures.ts';

const EVENTS = 200_000;
const BATCH = 10_000;
const COMMITS = 1000;
/** So many last commits of each table are compared, of which the young one has so many before. */
const WINDOW = 20;
const YOUNG = 5;
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
  const old = await commitsTo(tailwater, 'old', commits, context);
  // Afterwards, in the same process: code that has run a thousand times is faster, whatever the table.
  const young = await commitsTo(tailwater, 'young', YOUNG + WINDOW, context);
  await tailwater.close();
  return commitFigures(commits, old, young);
}

/** Of the last commits to a new table, in milliseconds. */
interface CommitCosts {
  wall: number[];
  cpu: number[];
  /** CPU time of what a commit does with the metadata file at least. */
  metadata: number[];
}

async function commitsTo(tailwater: Tailwater, stream: string, commits: number, context: BenchContext): Promise<CommitCosts> {
  await tailwater.createStream(stream, { kind: 'append' });
  const costs: CommitCosts = { wall: [], cpu: [], metadata: [] };
  for (let at = 0; at < commits; at++) {
    await tailwater.appendNdjson(stream, ndjson(at, 1));
    const before = process.cpuUsage();
    const wallMs = await timed(() => tailwater.compact(stream));
    const commitCpuMs = cpuMs(before);
    if (at % 100 === 99) context.log(`${at + 1} commits`);
    if (at < commits - WINDOW) continue;
    costs.wall.push(wallMs);
    costs.cpu.push(commitCpuMs);
    costs.metadata.push(metadataCost((await tailwater.getTable(stream)).datasets!.rows.path));
  }
  return costs;
}

/** CPU milliseconds to read, parse, print, checksum, write and sync a metadata file: what a commit does with it at least. */
function metadataCost(path: string): number {
  const copy = `${path}.measured`;
  const before = process.cpuUsage();
  const bytes = Buffer.from(JSON.stringify(JSON.parse(readFileSync(path, 'utf8'))));
  crc32c(bytes);
  writeFileSync(copy, bytes, { flush: true });
  const milliseconds = cpuMs(before);
  rmSync(copy);
  return milliseconds;
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function commitFigures(commits: number, old: CommitCosts, young: CommitCosts): Figure[] {
  const at = (costs: CommitCosts, what: keyof CommitCosts, share: number): number => percentile(sorted(costs[what]), share);
  const figureOf = (name: string, what: keyof CommitCosts, share: number): Figure => ({
    name: `${name} to a table of ${commits} snapshots, p${share * 100}`,
    value: at(old, what, share),
    unit: 'ms',
    goal: null,
    beside: { name: `of ${YOUNG} to ${YOUNG + WINDOW}`, value: at(young, what, share), unit: 'ms' },
  });
  // Wall time on a machine that others use says more about them.
  const gain = (what: keyof CommitCosts): number => at(old, what, 0.5) - at(young, what, 0.5);
  return [
    figureOf('commit', 'wall', 0.5),
    figureOf('commit', 'wall', 0.99),
    figureOf('CPU time of a commit', 'cpu', 0.5),
    {
      name: `CPU time that a commit gains with ${commits} snapshots / that rewriting the metadata file once gains`,
      value: gain('cpu') / gain('metadata'),
      unit: 'x',
      goal: { atMost: 1 },
      beside: { name: 'gain of rewriting the file once', value: gain('metadata'), unit: 'ms' },
    },
  ];
}

function bytesOf(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  return entries.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
