import type { DuckDBAppender } from '@duckdb/node-api';
import { type ArrowField, arrow, CHUNK_ROWS, type ChunkColumn, chunkOf, sqlType } from '../../lakehouse/index.ts';
import type { ScanBatch } from '../scan/scan-types.ts';

/** What a column of a scan is called in DuckDB. Columns of JSON have its alias, so that `->` and `->>` apply. */
export function columnSql(field: ArrowField, isJson: boolean): string {
  const type = typeOf(field);
  if (typeof type === 'object') return `FLOAT[${type.floats}]`;
  return isJson ? 'JSON' : sqlType(type);
}

type ColumnType = ChunkColumn['type'];

function typeOf({ type }: ArrowField): ColumnType {
  if (arrow.DataType.isFixedSizeList(type)) return { floats: type.listSize };
  if (arrow.DataType.isTimestamp(type)) return 'timestamptz';
  if (arrow.DataType.isUtf8(type)) return 'string';
  if (arrow.DataType.isBinary(type)) return 'binary';
  if (arrow.DataType.isBool(type)) return 'boolean';
  if (arrow.DataType.isFloat(type)) return 'double';
  return arrow.DataType.isInt(type) && type.bitWidth === 32 ? 'int' : 'long';
}

/** Appends a batch, whose columns are in the order of the table's. */
export function appendBatch(appender: DuckDBAppender, fields: readonly ArrowField[], batch: ScanBatch): void {
  const columns = fields.map((field, index) => ({ type: typeOf(field), data: batch.columns[index] }));
  for (let start = 0; start < batch.rows; start += CHUNK_ROWS) {
    appender.appendDataChunk(chunkOf(columns, start, Math.min(CHUNK_ROWS, batch.rows - start)));
  }
}
