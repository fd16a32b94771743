import type { TableRows } from '../table-store.ts';
import type { TableSchema } from '../table-types.ts';
import { type ArrowBatch, type ArrowData, type ArrowField, type ArrowTable, arrow } from './arrow.ts';
import { arrowSchema } from './arrow-schema.ts';
import { encodeRows } from './encode-rows.ts';

/** Rows of a table by column, in the order the columns were asked for. The buffers are the receiver's to read, not to change. */
export interface ColumnBatch {
  rows: number;
  columns: ArrowData[];
}

/** The fields of these columns of the `rows` dataset. Undefined for a name that it does not have. */
export function fieldsOf(schema: TableSchema, columns: readonly string[]): (ArrowField | undefined)[] {
  const byName = new Map(arrowSchema(schema, 'rows').fields.map(field => [field.name, field]));
  return columns.map(name => byName.get(name));
}

/** Rows [start, end) as the columns a table would hold them in. */
export function columnsOfRows(
  schema: TableSchema,
  rows: TableRows,
  start: number,
  end: number,
  columns: readonly string[],
): ColumnBatch {
  const fields = fieldsOf(schema, columns);
  const table: ArrowTable = encodeRows(schema, rows, start, end);
  const data = fields.map(field => table.getChild(field!.name)?.data[0] ?? nullBools(field!, end - start));
  return { rows: end - start, columns: data };
}

/** What the encoder leaves out: a boolean column without a value. */
function nullBools(field: ArrowField, rows: number): ArrowData {
  const bitmap = new Uint8Array(((rows + 63) >> 6) << 3);
  const type = field.type as import('apache-arrow').Bool;
  return arrow.makeData({ type, length: rows, nullCount: rows, nullBitmap: bitmap, data: bitmap });
}

export function recordBatch(fields: readonly ArrowField[], { rows, columns }: ColumnBatch): ArrowBatch {
  const struct = arrow.makeData({ type: new arrow.Struct([...fields]), length: rows, nullCount: 0, children: columns });
  return new arrow.RecordBatch(new arrow.Schema([...fields]), struct);
}
