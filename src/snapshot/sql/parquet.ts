import { DuckDBInstance } from '@duckdb/node-api';
import type { OpenScan } from '../scan/scanner.ts';
import { asSqlError } from './errors.ts';
import { appendBatch, columnSql } from './load.ts';

export interface ParquetOptions {
  /** Where DuckDB may put what does not fit its memory; a folder of its own. */
  temporaryFolder: string;
  /** Default 256 MiB. */
  memoryBytes?: number;
}

/** Writes a scan to a Parquet file (zstd), with `tailwater.token` in its metadata. */
export async function writeParquet(scan: OpenScan, path: string, options: ParquetOptions): Promise<void> {
  const { temporaryFolder, memoryBytes = 256 * 1024 * 1024 } = options;
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${Math.floor(memoryBytes / 1024)}KiB`,
    threads: '1',
    temp_directory: temporaryFolder,
  });
  const connection = await instance.connect();
  try {
    const columns = scan.fields.map(field => `"${field.name}" ${columnSql(field, false)}`);
    await connection.run(`CREATE TABLE scan (${columns.join(', ')})`);
    const appender = await connection.createAppender('scan');
    for await (const batch of scan.batches) appendBatch(appender, scan.fields, batch);
    appender.closeSync();
    const target = `'${path.replaceAll("'", "''")}'`;
    const metadata = `KV_METADATA {"tailwater.token": '${scan.token}'}`;
    await connection.run(`COPY scan TO ${target} (FORMAT parquet, COMPRESSION zstd, ${metadata})`);
  } catch (error) {
    throw asSqlError(error);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
