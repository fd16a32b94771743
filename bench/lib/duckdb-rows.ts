import { DuckDBInstance } from '@duckdb/node-api';
import { timed } from './figures.ts';

export interface RowsInput {
  /** CSV files with a header: user,ts,amount,page and idx,user,ts; times in milliseconds. */
  events: string;
  spine: string;
}

export interface RowsResult {
  ms: number;
  cpuSeconds: number;
  /** By feature, the sum of its values over all rows. */
  totals: number[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The ten features of the bench as one join with filtered aggregates, on one thread, from tables in memory. */
export async function rowsInDuckDb({ events, spine }: RowsInput): Promise<RowsResult> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  await connection.run(`CREATE TABLE events AS SELECT * FROM read_csv('${events}')`);
  await connection.run(`CREATE TABLE spine AS SELECT * FROM read_csv('${spine}')`);
  const within = (ms: number): string => `FILTER (e.ts > s.ts - ${ms})`;
  const columns = [
    ...[HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS].map(ms => `count(e.ts) ${within(ms)}`),
    ...[DAY_MS, 7 * DAY_MS, 30 * DAY_MS].map(ms => `sum(e.amount) ${within(ms)}`),
    `avg(e.amount) ${within(7 * DAY_MS)}`,
    `max(e.amount) ${within(30 * DAY_MS)}`,
    `count(DISTINCT e.page) ${within(7 * DAY_MS)}`,
  ].map((column, index) => `${column} AS f${index}`);
  const before = process.cpuUsage();
  const ms = await timed(() =>
    connection.run(`CREATE TABLE answers AS SELECT s.idx, ${columns.join(', ')} FROM spine s
      LEFT JOIN events e ON e.user = s.user AND e.ts <= s.ts AND e.ts > s.ts - ${30 * DAY_MS} GROUP BY s.idx`),
  );
  const { user, system } = process.cpuUsage(before);
  const sums = columns.map((_, index) => `sum(f${index})::DOUBLE`);
  const reader = await connection.runAndReadAll(`SELECT ${sums.join(', ')} FROM answers`);
  connection.closeSync();
  instance.closeSync();
  return { ms, cpuSeconds: (user + system) / 1e6, totals: reader.getRows()[0].map(Number) };
}
