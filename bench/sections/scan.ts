import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { connect } from '@lancedb/lancedb';
import { Tailwater } from '../../src/index.ts';
import { pathsOf } from '../../src/server/index.ts';
import { type BenchContext, type Figure, type Section, timed } from '../lib/figures.ts';

const PRICES = 1_000_000;
const TRADES = 100_000;
const ITEMS = 1_000;
/** Of the prices, not yet compacted. */
const TAIL_SHARE = 0.02;
const BATCH = 20_000;
const COLUMNS = ['item', 'at', 'price', 'note'];

export const scan: Section = {
  name: 'scan',
  title: 'Scans beside a bare Lance read, point-in-time joins beside bare DuckDB',
  async run(context) {
    const dataDir = join(context.folder, 'data');
    const tailwater = await Tailwater.open({ dataDir, compaction: { auto: false }, sql: { memoryBytes: 1024 ** 3, threads: 2 } });
    const prices = Math.ceil((PRICES * context.scale) / BATCH) * BATCH;
    const trades = Math.ceil((TRADES * context.scale) / BATCH) * BATCH;
    await fill(tailwater, 'prices', 0, Math.floor(prices * (1 - TAIL_SHARE)));
    await fill(tailwater, 'trades', 0, trades);
    await tailwater.compact('prices');
    await tailwater.compact('trades');
    const bytes = await scanFigure(tailwater, dataDir, context);
    await fill(tailwater, 'prices', Math.floor(prices * (1 - TAIL_SHARE)), prices);
    const join_ = await joinFigure(tailwater, context);
    await tailwater.close();
    return [bytes, join_];
  },
};

async function fill(tailwater: Tailwater, name: string, first: number, end: number): Promise<void> {
  await tailwater.createStream(name, { kind: 'append' });
  for (let start = first; start < end; start += BATCH) {
    const count = Math.min(BATCH, end - start);
    await tailwater.appendNdjson(name, Array.from({ length: count }, (_, at) => lineOf(name, start + at)).join('\n'));
  }
}

/** Prices come every 1 ms, trades every 10 ms. */
function lineOf(name: string, index: number): string {
  const item = `item-${(index * 7919) % ITEMS}`;
  if (name === 'trades') return `{"item":"${item}","at":${index * 10 + 5},"n":${index % 9}}`;
  return `{"item":"${item}","at":${index},"price":${(index % 1000) / 8 + 0.5},"note":"price ${index} of ${item} in the shop"}`;
}

/** Both read the same columns, batch by batch, and count the bytes of the values. The best of three. */
async function scanFigure(tailwater: Tailwater, dataDir: string, context: BenchContext): Promise<Figure> {
  const { incarnation } = (await tailwater.getStream('prices')).definition;
  const connection = await connect(join(pathsOf(dataDir).lance, incarnation));
  const table = await connection.openTable('rows');
  const bare = await best(async () => {
    let bytes = 0;
    for await (const batch of table.query().select(COLUMNS)) for (const data of batch.data.children) bytes += data.byteLength;
    return bytes;
  });
  const batches = await best(async () => {
    let bytes = 0;
    for await (const batch of (await tailwater.engine.scan('prices', { columns: COLUMNS })).batches) {
      for (const data of batch.columns) bytes += data.byteLength;
    }
    return bytes;
  });
  const stream = await best(async () => {
    let bytes = 0;
    for await (const part of (await tailwater.scan('prices', { columns: COLUMNS })).body) bytes += part.length;
    return bytes;
  });
  context.log(`as Arrow IPC: ${stream.toFixed(0)} MB/s`);
  return {
    name: 'merged scan of 4 columns / bare Lance read',
    value: batches / bare,
    unit: 'x',
    goal: { atLeast: 0.7 },
    beside: { name: `ours ${batches.toFixed(0)} MB/s, as an IPC stream ${stream.toFixed(0)}; bare`, value: bare, unit: 'MB/s' },
  };
}

async function best(read: () => Promise<number>): Promise<number> {
  let rate = 0;
  for (let round = 0; round < 3; round++) {
    let bytes = 0;
    const milliseconds = await timed(async () => {
      bytes = await read();
    });
    rate = Math.max(rate, bytes / 1000 / milliseconds);
  }
  return rate;
}

const JOIN = 'SELECT count(*), sum(t.n * p.price) FROM trades t ASOF JOIN prices p ON t.item = p.item AND t.at >= p.at';

/** Bare: the same rows in DuckDB's own tables in memory, loaded before the clock starts; beside it, from a Parquet file. */
async function joinFigure(tailwater: Tailwater, context: BenchContext): Promise<Figure> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const duckdb = await instance.connect();
  for (const name of ['prices', 'trades']) {
    const path = join(context.folder, `${name}.parquet`);
    await writeFile(
      path,
      (
        await tailwater.scan(name, {
          format: 'parquet',
          columns: name === 'prices' ? ['item', 'at', 'price'] : ['item', 'at', 'n'],
        })
      ).body,
    );
    await duckdb.run(`CREATE TABLE ${name} AS FROM '${path}'`);
  }
  const fromFiles = JOIN.replace('FROM trades', `FROM '${join(context.folder, 'trades.parquet')}'`).replace(
    'JOIN prices',
    `JOIN '${join(context.folder, 'prices.parquet')}'`,
  );
  const expected = JSON.stringify((await duckdb.runAndReadAll(JOIN)).getRowsJson());
  const bare = await fastest(() => duckdb.run(JOIN));
  const files = await fastest(() => duckdb.run(fromFiles));
  const ours = await fastest(() => tailwater.sql(JOIN, { deadlineMs: 600_000 }));
  const { rows, freshness } = await tailwater.sql(JOIN, { deadlineMs: 600_000 });
  context.log(`answers ${JSON.stringify(rows)} and ${expected}; ${freshness.prices.tailRows} rows of the tail`);
  instance.closeSync();
  return {
    name: 'point-in-time join in SQL / DuckDB over Parquet',
    value: ours / files,
    unit: 'x',
    goal: { atMost: 1.5 },
    beside: { name: `ours ${ours.toFixed(0)} ms, DuckDB's own tables ${bare.toFixed(0)} ms; Parquet`, value: files, unit: 'ms' },
    note: 'ours loads the columns from Lance and tail for each query',
  };
}

async function fastest(work: () => Promise<unknown>): Promise<number> {
  let milliseconds = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) milliseconds = Math.min(milliseconds, await timed(work));
  return milliseconds;
}
