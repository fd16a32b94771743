import type { TableColumn, TableSchema } from '../table-types.ts';
import { type ArrowField, type ArrowSchema, type ArrowType, arrow } from './arrow.ts';

/** The two datasets of a table: `rows` (the newest version of each key, or every record) and `changes` (superseded versions, tombstones). */
export type DatasetKind = 'rows' | 'changes';

/** System columns of both datasets, in order, before the user's columns. docs/FORMATS.md describes them. */
const SYSTEM_COLUMNS: readonly [name: string, type: () => ArrowType, nullable: boolean][] = [
  ['_partition', () => new arrow.Int32(), false],
  ['_offset', () => new arrow.Int64(), false],
  ['_seq', () => new arrow.Int64(), false],
  ['_key', () => new arrow.Binary(), true],
  ['_key_text', () => new arrow.Utf8(), true],
  ['_time', () => new arrow.TimestampMicrosecond('UTC'), false],
  ['_ingested_at', () => new arrow.TimestampMicrosecond('UTC'), false],
  ['_headers', () => new arrow.Utf8(), true],
  ['_extra', () => new arrow.Utf8(), true],
  ['_layout', () => new arrow.Utf8(), true],
  ['_raw', () => new arrow.Binary(), true],
];

export function columnType(type: TableColumn['type']): ArrowType {
  switch (type) {
    case 'bool':
      return new arrow.Bool();
    case 'int64':
      return new arrow.Int64();
    case 'float64':
      return new arrow.Float64();
    default:
      return new arrow.Utf8();
  }
}

export function userField(column: TableColumn): ArrowField {
  return new arrow.Field(column.name, columnType(column.type), true);
}

/** The Arrow schema of a dataset. User columns come last, so that evolved and freshly created tables order them alike. */
export function arrowSchema(schema: TableSchema, dataset: DatasetKind): ArrowSchema {
  const fields = SYSTEM_COLUMNS.map(([name, type, nullable]) => new arrow.Field(name, type(), nullable));
  if (dataset === 'changes') fields.push(new arrow.Field('_superseded_at', new arrow.TimestampMicrosecond('UTC'), false));
  else {
    if (schema.text) fields.push(new arrow.Field('_text', new arrow.Utf8(), true));
    if (schema.dimensions !== null) {
      const item = new arrow.Field('item', new arrow.Float32(), true);
      fields.push(new arrow.Field('_embedding', new arrow.FixedSizeList(schema.dimensions, item), true));
    }
  }
  return new arrow.Schema([...fields, ...schema.columns.map(userField)]);
}

/** What rebuilds a record: everything but the derived columns. */
export function recordColumns(schema: TableSchema): string[] {
  return [
    ...SYSTEM_COLUMNS.map(([name]) => name).filter(name => name !== '_key_text'),
    ...schema.columns.map(column => column.name),
  ];
}
