import { DuckDBInstance } from '@duckdb/node-api';
import type { ArrowField } from '../../lakehouse/index.ts';
import type { ScanBatch } from '../scan/scan-types.ts';
import type { OpenScan } from '../scan/scanner.ts';
import { asSqlError } from './errors.ts';
import { appendBatch, columnSql } from './load.ts';

export interface ParquetOptions {
  /** Where DuckDB may put what does not fit its memory; a folder of its own. */
  temporaryFolder: string;
  /** Default 256 MiB. */
  memoryBytes?: number;
}

export interface ParquetContent {
  fields: readonly ArrowField[];
  batches: AsyncIterable<ScanBatch>;
  compression: 'zstd' | 'snappy';
  /** Of the file. */
  metadata: Readonly<Record<string, string>>;
}

/** Writes a scan to a Parquet file (zstd), with `tailwater.token` in its metadata. */
export function writeParquet({ fields, batches, token }: OpenScan, path: string, options: ParquetOptions): Promise<void> {
  return writeParquetFile({ fields, batches, compression: 'zstd', metadata: { 'tailwater.token': token } }, path, options);
}

export async function writeParquetFile(content: ParquetContent, path: string, options: ParquetOptions): Promise<void> {
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
    const columns = content.fields.map(field => `"${field.name}" ${columnSql(field, false)}`);
    await connection.run(`CREATE TABLE scan (${columns.join(', ')})`);
    const appender = await connection.createAppender('scan');
    for await (const batch of content.batches) appendBatch(appender, content.fields, batch);
    appender.closeSync();
    await connection.run(copySql(content, path));
  } catch (error) {
    throw asSqlError(error);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function copySql({ compression, metadata }: ParquetContent, path: string): string {
  const pairs = Object.entries(metadata).map(([name, value]) => `"${name}": '${value}'`);
  const own = pairs.length === 0 ? '' : `, KV_METADATA {${pairs.join(', ')}}`;
  return `COPY scan TO '${path.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION ${compression}${own})`;
}
