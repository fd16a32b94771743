import { rm, writeFile } from 'node:fs/promises';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type JsonObject, TailwaterError } from '../base/index.ts';

/** Rows of a Parquet file as JSON; `time` becomes ISO 8601 where it is a timestamp. Throws TW_SOURCE. */
export function readParquetRows(path: string, time: string): Promise<JsonObject[]> {
  return withDuckDb(path, async connection => {
    const file = `read_parquet(${quoted(path)})`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${file}`);
    const type = described.getRows().find(([name]) => name === time)?.[1];
    const instant = typeof type === 'string' && type.startsWith('TIMESTAMP') ? `epoch_ms(t.${named(time)})` : 'NULL';
    const reader = await connection.runAndReadAll(`SELECT to_json(t)::VARCHAR, ${instant}::DOUBLE FROM ${file} t`);
    return reader.getRows().map(([row, ms]) => {
      const values: JsonObject = JSON.parse(row as string);
      return ms === null ? values : { ...values, [time]: new Date(ms as number).toISOString() };
    });
  });
}

/** Writes rows as Parquet with the columns and types that DuckDB finds in them. Throws TW_SOURCE. */
export async function writeParquetRows(path: string, rows: readonly JsonObject[]): Promise<void> {
  const lines = `${path}.ndjson`;
  await writeFile(lines, rows.map(row => `${JSON.stringify(row)}\n`).join(''));
  try {
    await withDuckDb(path, async connection => {
      const source = `read_json(${quoted(lines)}, format = 'newline_delimited', sample_size = -1)`;
      await connection.run(`COPY (SELECT * FROM ${source}) TO ${quoted(path)} (FORMAT parquet, COMPRESSION zstd)`);
    });
  } finally {
    await rm(lines, { force: true });
  }
}

async function withDuckDb<T>(path: string, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    return await work(connection);
  } catch (cause) {
    throw new TailwaterError('TW_SOURCE', { detail: `${path}: ${(cause as Error).message}`, cause });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function named(column: string): string {
  return `"${column.replaceAll('"', '""')}"`;
}
