import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { connect } from '@lancedb/lancedb';
import { Tailwater } from '../../src/index.ts';
import { pathsOf } from '../../src/server/index.ts';
import type { Figure, Section } from '../lib/figures.ts';
import { BENCH_FORMATS, type BenchFormat, type Cost, cheapest, fillPrices, scaledRows } from '../lib/prices.ts';

const ROWS = 1_000_000;
const COLUMNS = ['item', 'at', 'price', 'note'];
const FORMS = ['arrow', 'parquet', 'ndjson'] as const;
const ROUNDS = 3;

export const scan: Section = {
  name: 'scan',
  title: 'Scans in every form beside a bare read of the same columns of the same files',
  async run(context) {
    const dataDir = join(context.folder, 'data');
    const tailwater = await Tailwater.open({ dataDir, compaction: { auto: false } });
    const figures: Figure[] = [];
    for (const format of BENCH_FORMATS) {
      await tailwater.createStream(format, { kind: 'append', table: { format } });
      await fillPrices(tailwater, format, 'prices', 0, scaledRows(ROWS, context.scale));
      await tailwater.compact(format);
      const { incarnation } = (await tailwater.getStream(format)).definition;
      const bare = format === 'lance' ? await bareLance(dataDir, incarnation) : await bareParquet(dataDir, incarnation);
      figures.push(...(await formFigures(tailwater, format, bare)));
    }
    await tailwater.close();
    return figures;
  },
};

/** All forms have the values of the same rows, so that how long they take is what compares. */
async function formFigures(tailwater: Tailwater, format: BenchFormat, bare: Cost): Promise<Figure[]> {
  let values = 0;
  const batches = await cheapest(ROUNDS, async () => {
    values = 0;
    for await (const batch of (await tailwater.engine.scan(format, { columns: COLUMNS })).batches) {
      for (const data of batch.columns) values += data.byteLength;
    }
  });
  const rateOf = ({ milliseconds }: Cost): number => values / 1000 / milliseconds;
  const figures = [figureOf(format, 'column batches', batches, bare, rateOf, '')];
  for (const form of FORMS) {
    let bytes = 0;
    const cost = await cheapest(ROUNDS, async () => {
      bytes = 0;
      for await (const part of (await tailwater.scan(format, { columns: COLUMNS, format: form })).body) bytes += part.length;
    });
    const body = `, ${(bytes / 1000 / cost.milliseconds).toFixed(0)} MB/s of its own bytes`;
    figures.push(figureOf(format, form, cost, bare, rateOf, body));
  }
  return figures;
}

function figureOf(
  format: BenchFormat,
  form: string,
  cost: Cost,
  bare: Cost,
  rateOf: (cost: Cost) => number,
  body: string,
): Figure {
  return {
    name: `scan of ${format} as ${form} / bare read`,
    value: rateOf(cost) / rateOf(bare),
    unit: 'x',
    goal: { atLeast: 0.7 },
    beside: { name: `ours ${rateOf(cost).toFixed(0)} MB/s of values${body}; bare`, value: rateOf(bare), unit: 'MB/s' },
    note: `CPU ${cost.cpuMilliseconds.toFixed(0)} ms, bare ${bare.cpuMilliseconds.toFixed(0)} ms`,
  };
}

async function bareLance(dataDir: string, incarnation: string): Promise<Cost> {
  const connection = await connect(join(pathsOf(dataDir).lance, incarnation));
  const table = await connection.openTable('rows');
  return cheapest(ROUNDS, async () => {
    let bytes = 0;
    for await (const batch of table.query().select(COLUMNS)) for (const data of batch.data.children) bytes += data.byteLength;
    return bytes;
  });
}

/** DuckDB with as many threads as ours; its vectors are handed to JavaScript, and not looked into. */
async function bareParquet(dataDir: string, incarnation: string): Promise<Cost> {
  const folder = join(pathsOf(dataDir).iceberg, incarnation, 'rows', 'data');
  const files = readdirSync(folder).map(name => `'${join(folder, name)}'`);
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  const cost = await cheapest(ROUNDS, () =>
    drained(connection, `SELECT "${COLUMNS.join('", "')}" FROM read_parquet([${files.join(', ')}])`),
  );
  instance.closeSync();
  return cost;
}

async function drained(connection: DuckDBConnection, sql: string): Promise<number> {
  const result = await connection.stream(sql);
  let rows = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return rows;
    rows += chunk.rowCount;
  }
}
