import { TailwaterError } from '../../base/index.ts';
import type { PartitionRule, StreamDefinition } from '../../streams/index.ts';
import type { ArrowBatch } from '../columns/arrow.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import { BoolReader, BytesReader, columnData, Int64Reader } from '../columns/column-readers.ts';
import type { TableSchema } from '../table-types.ts';
import { fieldNamed } from './fields.ts';
import type { IcebergField, IcebergType, PartitionField, PartitionSpec, PartitionValue, SortField } from './iceberg-types.ts';
import { murmur32 } from './murmur32.ts';

const FIRST_PARTITION_ID = 1000;
const HOUR_US = 3_600_000_000;
const DAY_US = 24 * HOUR_US;

/** How a table's rows are laid out: by which values they share files, and in which order they lie in one. */
export interface TableLayout {
  rules: readonly { rule: PartitionRule; column: string }[];
  /** Column names. */
  sortBy: readonly string[];
}

/**
 * `changes` are read by offset, so they are sorted by it and not partitioned. Rows of upsert streams are sorted by key, unless the stream
 * says otherwise; records of append streams come in the order of their offsets.
 */
export function layoutOf(definition: StreamDefinition, schema: TableSchema, kind: DatasetKind): TableLayout {
  const { table } = definition;
  if (kind === 'changes') return { rules: [], sortBy: ['_partition', '_offset'] };
  if (table.format !== 'iceberg') return { rules: [], sortBy: [] };
  const nameOf = (path: string): string => columnOf(schema, path);
  const sortBy = table.sortBy.length > 0 ? table.sortBy.map(nameOf) : definition.kind === 'upsert' ? ['_key_text'] : [];
  return { rules: table.partitionBy.map(rule => ({ rule, column: nameOf(rule.column) })), sortBy };
}

function columnOf(schema: TableSchema, path: string): string {
  if (path.startsWith('_')) return path;
  const column = schema.columns.find(each => each.path === path);
  if (column !== undefined) return column.name;
  throw new TailwaterError('TW_BAD_REQUEST', { detail: `The table has no column for "${path}", by which it is to be laid out.` });
}

export function partitionSpec(layout: TableLayout, fields: readonly IcebergField[]): PartitionSpec {
  return {
    'spec-id': 0,
    fields: layout.rules.map(({ rule, column }, index): PartitionField => {
      const transform = rule.transform === 'bucket' ? `bucket[${rule.buckets}]` : rule.transform;
      const name = rule.transform === 'identity' ? column : `${column}_${rule.transform}`;
      return { 'source-id': fieldNamed(fields, column).id, 'field-id': FIRST_PARTITION_ID + index, name, transform };
    }),
  };
}

/** Of the values of a spec's fields. */
export function partitionTypes(spec: PartitionSpec, fields: readonly IcebergField[]): (IcebergType | 'date')[] {
  return spec.fields.map(field => {
    if (field.transform === 'day') return 'date';
    if (field.transform !== 'identity') return 'int';
    return fields.find(each => each.id === field['source-id'])!.type;
  });
}

export function sortFields(layout: TableLayout, fields: readonly IcebergField[]): SortField[] {
  return layout.sortBy.map(column => {
    const id = fieldNamed(fields, column).id;
    return { transform: 'identity', 'source-id': id, direction: 'asc', 'null-order': 'nulls-last' };
  });
}

export interface PartitionGroups {
  /** Per row, the number of its group. */
  groupOf: Int32Array;
  values: PartitionValue[][];
}

/** Which rows of a batch share a file. */
export function groupRows(layout: TableLayout, batch: ArrowBatch): PartitionGroups {
  const groupOf = new Int32Array(batch.numRows);
  if (layout.rules.length === 0) return { groupOf, values: [[]] };
  const readers = layout.rules.map(({ rule, column }) => valueReader(rule, batch, column));
  const groups = new Map<string, number>();
  const values: PartitionValue[][] = [];
  for (let row = 0; row < batch.numRows; row++) {
    const tuple = readers.map(read => read(row));
    const key = JSON.stringify(tuple);
    let group = groups.get(key);
    if (group === undefined) {
      group = values.length;
      groups.set(key, group);
      values.push(tuple);
    }
    groupOf[row] = group;
  }
  return { groupOf, values };
}

function valueReader(rule: PartitionRule, batch: ArrowBatch, column: string): (row: number) => PartitionValue {
  if (batch.getChild(column) === null) return () => null;
  const data = columnData(batch, column);
  switch (data.type.toString()) {
    case 'Utf8': {
      const reader = new BytesReader(data);
      if (rule.transform === 'identity') return row => reader.text(row);
      return row => (reader.isNull(row) ? null : bucket(rule, reader.copy(row)!));
    }
    case 'Bool': {
      const reader = new BoolReader(data);
      return row => (reader.isNull(row) ? null : reader.flag(row));
    }
    default: {
      const reader = new Int64Reader(data);
      return row => (reader.isNull(row) ? null : ofInteger(rule, reader, row));
    }
  }
}

function ofInteger(rule: PartitionRule, reader: Int64Reader, row: number): number {
  if (rule.transform === 'day') return Math.floor(reader.number(row) / DAY_US);
  if (rule.transform === 'hour') return Math.floor(reader.number(row) / HOUR_US);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(reader.digits(row)));
  return bucket(rule, bytes);
}

function bucket(rule: PartitionRule, bytes: Uint8Array): number {
  return (murmur32(bytes) & 0x7fffffff) % (rule.transform === 'bucket' ? rule.buckets : 1);
}
