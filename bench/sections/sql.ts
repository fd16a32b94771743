import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { Tailwater } from '../../src/index.ts';
import type { BenchContext, Figure, Section } from '../lib/figures.ts';
import { BENCH_FORMATS, type BenchFormat, cheapest, fillPrices, scaledRows } from '../lib/prices.ts';

const PRICES = 1_000_000;
const TRADES = 100_000;
/** Of the prices, not yet compacted. */
const TAIL_SHARE = 0.02;
const THREADS = 2;
const ROUNDS = 3;
const DEADLINE_MS = 600_000;

export const sql: Section = {
  name: 'sql',
  title: 'Point-in-time joins in SQL, tail included, beside bare DuckDB over Parquet files of the same rows',
  async run(context) {
    const dataDir = join(context.folder, 'data');
    const settings = { memoryBytes: 1024 ** 3, threads: THREADS };
    const tailwater = await Tailwater.open({ dataDir, compaction: { auto: false }, sql: settings });
    const figures: Figure[] = [];
    for (const format of BENCH_FORMATS) {
      await fill(tailwater, format, context.scale);
      figures.push(...(await joinFigures(tailwater, format, context)));
    }
    await tailwater.close();
    return figures;
  },
};

async function fill(tailwater: Tailwater, format: BenchFormat, scale: number): Promise<void> {
  const [prices, trades] = [scaledRows(PRICES, scale), scaledRows(TRADES, scale)];
  const compacted = Math.floor(prices * (1 - TAIL_SHARE));
  for (const kind of ['prices', 'trades'] as const) {
    const name = `${kind}_${format}`;
    await tailwater.createStream(name, { kind: 'append', table: { format } });
    await fillPrices(tailwater, name, kind, 0, kind === 'prices' ? compacted : trades);
    await tailwater.compact(name);
  }
  await fillPrices(tailwater, `prices_${format}`, 'prices', compacted, prices);
}

const joinOf = (trades: string, prices: string): string =>
  `SELECT count(*), sum(t.n * p.price) FROM ${trades} t ASOF JOIN ${prices} p ON t.item = p.item AND t.at >= p.at`;

async function joinFigures(tailwater: Tailwater, format: BenchFormat, context: BenchContext): Promise<Figure[]> {
  const query = joinOf(`trades_${format}`, `prices_${format}`);
  const ask = () => tailwater.sql(query, { deadlineMs: DEADLINE_MS });
  const first = await cheapest(1, ask);
  const ours = await cheapest(ROUNDS, ask);
  const { rows, freshness } = await ask();
  const instance = await DuckDBInstance.create(':memory:', { threads: String(THREADS) });
  const duckdb = await instance.connect();
  const files = await parquetFiles(tailwater, format, context.folder);
  const bareQuery = joinOf(`'${files.trades}'`, `'${files.prices}'`);
  const bare = await cheapest(ROUNDS, () => duckdb.run(bareQuery));
  const expected = JSON.stringify((await duckdb.runAndReadAll(bareQuery)).getRowsJson());
  const loaded = await inTables(duckdb, files);
  instance.closeSync();
  const tailRows = freshness[`prices_${format}`].tailRows;
  context.log(`answers ${JSON.stringify(rows)} and ${expected}; ${tailRows} rows of the tail`);
  const note = `CPU ${ours.cpuMilliseconds.toFixed(0)} ms, bare ${bare.cpuMilliseconds.toFixed(0)} ms`;
  return [
    {
      name: `point-in-time join in SQL, ${format} / bare DuckDB`,
      value: ours.milliseconds / bare.milliseconds,
      unit: 'x',
      goal: { atMost: 1.5 },
      beside: {
        name: `ours ${ours.milliseconds.toFixed(0)} ms, DuckDB's own tables ${loaded.toFixed(0)} ms; Parquet`,
        value: bare.milliseconds,
        unit: 'ms',
      },
      note,
    },
    {
      name: `the first one over a table, ${format}`,
      value: first.milliseconds,
      unit: 'ms',
      goal: null,
      note: `CPU ${first.cpuMilliseconds.toFixed(0)} ms${format === 'lance' ? '; it copies the columns' : ''}`,
    },
  ];
}

async function parquetFiles(
  tailwater: Tailwater,
  format: BenchFormat,
  folder: string,
): Promise<Record<'prices' | 'trades', string>> {
  const columns = { prices: ['item', 'at', 'price'], trades: ['item', 'at', 'n'] };
  const files = { prices: join(folder, `prices-${format}.parquet`), trades: join(folder, `trades-${format}.parquet`) };
  for (const name of ['prices', 'trades'] as const) {
    const { body } = await tailwater.scan(`${name}_${format}`, { format: 'parquet', columns: columns[name] });
    await writeFile(files[name], body);
  }
  return files;
}

/** Loaded before the clock starts. */
async function inTables(duckdb: DuckDBConnection, files: Record<'prices' | 'trades', string>): Promise<number> {
  for (const [name, path] of Object.entries(files)) await duckdb.run(`CREATE TABLE ${name} AS FROM '${path}'`);
  return (await cheapest(ROUNDS, () => duckdb.run(joinOf('trades', 'prices')))).milliseconds;
}
