import type { DuckDBConnection } from '@duckdb/node-api';
import { crc32c, isTailwaterError, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { ArrowBatch } from '../columns/arrow.ts';
import { boundOf } from './bounds.ts';
import { type Duck, duckName, duckText } from './duck.ts';
import { CHUNK_ROWS, toChunk } from './duck-columns.ts';
import { fileName, sqlType } from './fields.ts';
import type { IcebergField, PartitionValue, TableFile } from './iceberg-types.ts';
import type { TableFiles } from './table-files.ts';

/** Rows of a row group, which is the least that a reader decompresses; fewer where single rows are looked up in the order of the file. */
const ROW_GROUP_ROWS = 16_384;
const SORTED_ROW_GROUP_ROWS = 8_192;

/** Columns without bounds: nobody compares them. */
export const UNBOUNDED: ReadonlySet<string> = new Set(['_headers', '_extra', '_layout', '_raw', '_key']);

/** What a file is to be. */
export interface FileTarget {
  /** Its name without an ending: the checksum of its content follows, so that it can be told whether a file is the one that was written. */
  stem: string;
  /** The folder of data files, with a slash at the end. */
  folder: string;
  fields: readonly IcebergField[];
  sortBy: readonly string[];
  /** What gives the value of a field, in SQL; default: the column of its name. */
  sourceOf?: (field: IcebergField) => string;
}

/** What the writer knows of a file; the rest is the table's to say. */
export type WrittenFile = Omit<TableFile, 'content' | 'snapshotId' | 'sequenceNumber' | 'sortOrderId' | 'referencedDataFile'>;

export class ParquetWriter {
  readonly #duck: Duck;
  readonly #files: TableFiles;

  constructor(duck: Duck, files: TableFiles) {
    this.#duck = duck;
    this.#files = files;
  }

  /** One file per group of rows, in the order of `groups`. */
  write(
    batches: Iterable<{ batch: ArrowBatch; groupOf: Int32Array }>,
    fields: readonly IcebergField[],
    groups: () => readonly { target: FileTarget; partition: PartitionValue[] }[],
  ): Promise<WrittenFile[]> {
    return this.#duck.withTable(async (connection, table) => {
      const columns = fields.map(field => `${duckName(field.name)} ${sqlType(field.type)}`);
      await connection.run(`CREATE TABLE ${table} (${columns.join(', ')}, "_group" INTEGER)`);
      const appender = await connection.createAppender(table);
      for (const { batch, groupOf } of batches) {
        for (let start = 0; start < batch.numRows; start += CHUNK_ROWS) {
          appender.appendDataChunk(toChunk(fields, batch, start, Math.min(CHUNK_ROWS, batch.numRows - start), groupOf));
        }
      }
      appender.closeSync();
      const written: WrittenFile[] = [];
      const all = groups();
      for (const [index, { target, partition }] of all.entries()) {
        const where = all.length === 1 ? '' : ` WHERE "_group" = ${index}`;
        written.push(await this.copy(connection, `FROM ${table}${where}`, target, partition));
      }
      return written;
    });
  }

  /** `source`: from `FROM` on. The file is durable when this returns. */
  async copy(
    connection: DuckDBConnection,
    source: string,
    { stem, folder, fields, sortBy, sourceOf = field => duckName(field.name) }: FileTarget,
    partition: PartitionValue[],
  ): Promise<WrittenFile> {
    const temporary = `${folder}${stem}.tmp`;
    const order =
      sortBy.length === 0 ? '' : ` ORDER BY ${sortBy.map(name => `${duckName(fileName(name))} NULLS LAST`).join(', ')}`;
    const rows = sortBy.length === 0 ? ROW_GROUP_ROWS : SORTED_ROW_GROUP_ROWS;
    const ids = fields.map(field => `${duckName(fileName(field.name))}: ${field.id}`).join(', ');
    const options = `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rows}, RETURN_STATS, FIELD_IDS {${ids}}`;
    const select = `SELECT ${fields.map(field => `${sourceOf(field)} AS ${duckName(fileName(field.name))}`).join(', ')} ${source}${order}`;
    const path = duckText(this.#files.enginePath(temporary));
    const [stats] = await written(() => connection.runAndReadAll(`COPY (${select}) TO ${path} (${options})`));
    const bytes = (await this.#files.read(temporary))!;
    const name = `${stem}-${checksumOf(bytes)}.parquet`;
    await this.#files.adopt(temporary, `${folder}${name}`, bytes);
    return { name, partition, records: Number(stats.count), bytes: bytes.length, ...statistics(fields, stats.column_statistics) };
  }
}

/** Whether a file is as it was written; its name says how that was. */
export function isAsWritten(name: string, bytes: Uint8Array): boolean {
  return new RegExp(`-${checksumOf(bytes)}\\.[a-z]+$`).test(name);
}

export function checksumOf(bytes: Uint8Array): string {
  return crc32c(bytes).toString(16).padStart(8, '0');
}

type StatsRow = { count: string; column_statistics: { key: string; value: { key: string; value: string }[] }[] };

async function written(run: () => Promise<{ getRowObjectsJson(): Record<string, JsonValue>[] }>): Promise<StatsRow[]> {
  try {
    return (await run()).getRowObjectsJson() as unknown as StatsRow[];
  } catch (cause) {
    if (isTailwaterError(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = /no space left|disk quota/i.test(reason) ? 'TW_STORAGE_FULL' : 'TW_STORAGE_UNAVAILABLE';
    throw new TailwaterError(code, { detail: `A file of a table could not be written: ${reason}`, cause });
  }
}

function statistics(
  fields: readonly IcebergField[],
  columns: StatsRow['column_statistics'],
): Pick<WrittenFile, 'columnBytes' | 'valueCounts' | 'nullCounts' | 'lower' | 'upper'> {
  const byName = new Map(fields.map(field => [duckName(fileName(field.name)), field]));
  const columnBytes = new Map<number, number>();
  const valueCounts = new Map<number, number>();
  const nullCounts = new Map<number, number>();
  const lower = new Map<number, Uint8Array>();
  const upper = new Map<number, Uint8Array>();
  for (const { key, value } of columns) {
    const field = byName.get(key) ?? byName.get(duckName(key));
    if (field === undefined) continue;
    const facts = new Map(value.map(each => [each.key, each.value]));
    columnBytes.set(field.id, Number(facts.get('column_size_bytes')));
    valueCounts.set(field.id, Number(facts.get('num_values')));
    nullCounts.set(field.id, Number(facts.get('null_count') ?? 0));
    if (UNBOUNDED.has(field.name)) continue;
    const [min, max] = [facts.get('min'), facts.get('max')];
    const low = min === undefined ? undefined : boundOf(field.type, min, 'lower');
    const high = max === undefined ? undefined : boundOf(field.type, max, 'upper');
    if (low !== undefined) lower.set(field.id, low);
    if (high !== undefined) upper.set(field.id, high);
  }
  return { columnBytes, valueCounts, nullCounts, lower, upper };
}
