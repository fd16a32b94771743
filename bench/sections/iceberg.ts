import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type AppendRecord, Tailwater } from '../../src/index.ts';
import { eventLine, ndjson } from '../lib/events.ts';
import { type BenchContext, type Figure, type Section, timed } from '../lib/figures.ts';

const EVENTS = 400_000;
const KEYS = 100_000;
const BATCH = 10_000;
const POINT_READS = 200;

export const iceberg: Section = {
  name: 'iceberg',
  title: 'Iceberg tables: compaction beside DuckDB’s bare COPY of the same rows, and reads of a table that is not in memory',
  async run(context) {
    const count = Math.ceil((EVENTS * context.scale) / BATCH) * BATCH;
    const bare = await bareCopyRate(context, count);
    return [await appended(context, count, bare), ...(await upserted(context, count, bare))];
  },
};

async function appended(context: BenchContext, count: number, bare: number): Promise<Figure> {
  const tailwater = await open(context, 'append');
  await tailwater.createStream('rows', { kind: 'append' });
  for (let first = 0; first < count; first += BATCH) await tailwater.appendNdjson('rows', ndjson(first, BATCH));
  const ours = (count / (await timed(() => tailwater.compact('rows')))) * 1000;
  await tailwater.close();
  return figureOf(
    'compaction of 300-byte events / bare COPY',
    ours,
    bare,
    'ours reads the log, parses JSON and verifies what it wrote',
  );
}

/** Every key is written several times, so that most rows of a compaction delete an older one. */
async function upserted(context: BenchContext, count: number, bare: number): Promise<Figure[]> {
  const tailwater = await open(context, 'upsert');
  await tailwater.createStream('rows', { kind: 'upsert', key: 'user' });
  const keys = Math.ceil(KEYS * context.scale);
  let milliseconds = 0;
  const rounds = 4;
  for (let round = 0; round < rounds; round++) {
    for (let first = 0; first < count / rounds; first += BATCH) {
      await tailwater.append('rows', recordsOf(round * (count / rounds) + first, keys));
    }
    milliseconds += await timed(() => tailwater.compact('rows'));
  }
  const point = await timed(async () => {
    for (let at = 0; at < POINT_READS; at++) await tailwater.getRow('rows', `user-${(at * 7919) % keys}`);
  });
  const range = await timed(async () => {
    for (let at = 0; at < 20; at++)
      await tailwater.read('rows', { partition: 0, from: Math.floor((at * count) / 25), limit: 500 });
  });
  await tailwater.close();
  const plain = { goal: null };
  return [
    figureOf('compaction of upserts, most of known keys / bare COPY', (count / milliseconds) * 1000, bare),
    { name: 'read of one row by key', value: point / POINT_READS, unit: 'ms', ...plain },
    { name: 'read of 500 records by offset', value: range / 20, unit: 'ms', ...plain },
  ];
}

function recordsOf(first: number, keys: number): AppendRecord[] {
  return Array.from({ length: BATCH }, (_, at) => {
    const event = JSON.parse(eventLine(first + at));
    return { value: { ...event, user: `user-${((first + at) * 7919) % keys}` } };
  });
}

function open(context: BenchContext, name: string): Promise<Tailwater> {
  const dataDir = join(context.folder, name);
  return Tailwater.open({ dataDir, compaction: { auto: false }, compactionThreads: 2 });
}

/** The rows are in DuckDB's memory before the clock starts: only the writing of the file is timed. */
async function bareCopyRate(context: BenchContext, count: number): Promise<number> {
  const source = join(context.folder, 'events.ndjson');
  for (let first = 0; first < count; first += BATCH) writeFileSync(source, ndjson(first, BATCH), { flag: 'a' });
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  await connection.run(
    `CREATE TABLE events AS SELECT 0 AS _partition, row_number() OVER () AS _offset, row_number() OVER () AS _seq, NULL::BLOB AS _key,
       NULL::VARCHAR AS _key_text, now() AS _time, now() AS _ingested_at, NULL::VARCHAR AS _headers, NULL::VARCHAR AS _extra,
       NULL::VARCHAR AS _layout, NULL::BLOB AS _raw, * FROM read_json('${source}', format = 'newline_delimited')`,
  );
  const target = join(context.folder, 'bare.parquet');
  const milliseconds = await timed(() => connection.run(`COPY events TO '${target}' (FORMAT parquet, COMPRESSION zstd)`));
  connection.closeSync();
  instance.closeSync();
  return (count / milliseconds) * 1000;
}

function figureOf(name: string, ours: number, bare: number, note?: string): Figure {
  return {
    name,
    value: ours / bare,
    unit: 'x',
    goal: { atLeast: 0.5 },
    beside: { name: `ours ${Math.round(ours).toLocaleString('en-US')} rows/s; bare`, value: bare, unit: 'rows/s' },
    ...(note && { note }),
  };
}
