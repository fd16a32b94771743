import { join } from 'node:path';
import { Tailwater } from '../../src/index.ts';
import { filler } from '../lib/events.ts';
import { type BenchContext, type Figure, percentile, type Section, sorted } from '../lib/figures.ts';
import { bareHybrid, bareTable, DIMENSIONS, indexAndOptimize, textOf } from '../lib/lance.ts';

const TABLE_ROWS = 100_000;
const TAIL_ROWS = 10_000;
const QUERIES = 300;
const LIMIT = 10;

/** Tailwater: 100,000 rows in the table and 10,000 in the tail. Bare LanceDB: all 110,000 in the table. The same texts, vectors, index kinds, queries and k. */
export const hybrid: Section = {
  name: 'hybrid',
  title: 'Hybrid queries: table + tail beside bare LanceDB with every row in the table',
  async run(context) {
    const tableRows = Math.ceil(TABLE_ROWS * context.scale);
    const tailRows = Math.ceil(TAIL_ROWS * context.scale);
    const bare = await measureBare(context, tableRows + tailRows);
    const tailwater = await Tailwater.open({ dataDir: join(context.folder, 'tailwater'), compaction: { auto: false } });
    await tailwater.createStream('items', {
      kind: 'append',
      search: { fields: ['text'] },
      embed: { fields: ['text'], dimensions: DIMENSIONS },
    });
    await append(tailwater, 0, tableRows);
    await tailwater.compact('items', { full: true });
    context.log(`compacted: ${JSON.stringify((await tailwater.getTable('items')).state?.indexedRows)}`);
    await append(tailwater, tableRows, tailRows);
    const idle = await measure(text => tailwater.query('items', { text, limit: LIMIT }));
    const busy = await whileCompacting(context, tailwater, tableRows + tailRows);
    await tailwater.close();
    return figuresOf(bare, idle, busy);
  },
};

async function append(tailwater: Tailwater, first: number, count: number): Promise<void> {
  const step = 2000;
  for (let at = first; at < first + count; at += step) {
    const records = Array.from({ length: Math.min(step, first + count - at) }, (_, index) => ({
      value: { id: at + index, text: textOf(at + index) },
    }));
    await tailwater.append('items', records);
  }
}

async function measureBare(context: BenchContext, rows: number): Promise<Float64Array> {
  const table = await bareTable(join(context.folder, 'bare'), rows);
  await indexAndOptimize(table, true);
  context.log(`bare LanceDB holds ${await table.countRows()} rows`);
  const times = await measure(text => bareHybrid(table, text, LIMIT));
  table.close();
  return times;
}

async function measure(query: (text: string) => Promise<unknown>): Promise<Float64Array> {
  for (let index = 0; index < 30; index++) await query(queryText(index + 5000));
  const times: number[] = [];
  for (let index = 0; index < QUERIES; index++) {
    const startedMs = performance.now();
    await query(queryText(index));
    times.push(performance.now() - startedMs);
  }
  return sorted(times);
}

function queryText(index: number): string {
  return index % 3 === 0 ? `item${(index * 331) % 100_000} ${filler(index, 20)}` : filler(index * 17 + 3, 30);
}

async function whileCompacting(context: BenchContext, tailwater: Tailwater, first: number): Promise<Float64Array> {
  await append(tailwater, first, Math.ceil(30_000 * context.scale));
  let running = true;
  const compaction = tailwater.compact('items', { full: true }).finally(() => {
    running = false;
  });
  const times: number[] = [];
  for (let index = 0; running; index++) {
    const startedMs = performance.now();
    await tailwater.query('items', { text: queryText(index), limit: LIMIT });
    times.push(performance.now() - startedMs);
  }
  await compaction;
  context.log(`${times.length} queries ran while the compaction did`);
  return sorted(times);
}

function figuresOf(bare: Float64Array, idle: Float64Array, busy: Float64Array): Figure[] {
  const p50 = percentile(idle, 0.5);
  const bareP50 = percentile(bare, 0.5);
  const p99 = percentile(idle, 0.99);
  const busyP99 = percentile(busy, 0.99);
  return [
    { name: 'hybrid p50', value: p50, unit: 'ms', goal: null, beside: { name: 'bare LanceDB p50', value: bareP50, unit: 'ms' } },
    { name: 'hybrid p50 / bare p50', value: p50 / bareP50, unit: 'x', goal: { atMost: 1.5 } },
    {
      name: 'hybrid p99, idle',
      value: p99,
      unit: 'ms',
      goal: null,
      beside: { name: 'bare LanceDB p99', value: percentile(bare, 0.99), unit: 'ms' },
    },
    {
      name: 'p99 while a compaction runs / p99 idle',
      value: busyP99 / p99,
      unit: 'x',
      goal: { atMost: 3 },
      beside: { name: 'p99 while compacting', value: busyP99, unit: 'ms' },
      note: 'compaction in a child process of low priority, LANCE_CPU_THREADS=1 TOKIO_WORKER_THREADS=1',
    },
  ];
}
