import type { AvroSchema } from './avro-container.ts';
import type { IcebergType, PartitionField } from './iceberg-types.ts';

/** The Avro schemas of Iceberg's manifests and manifest lists, with the field ids that the specification gives them. */
type Field = { name: string; type: unknown; 'field-id': number; default?: null };

function required(id: number, name: string, type: unknown): Field {
  return { name, type, 'field-id': id };
}

function optional(id: number, name: string, type: unknown): Field {
  return { name, type: ['null', type], default: null, 'field-id': id };
}

function mapOf(keyId: number, valueId: number, value: string): unknown {
  const name = `k${keyId}_v${valueId}`;
  const fields = [required(keyId, 'key', 'int'), required(valueId, 'value', value)];
  return { type: 'array', logicalType: 'map', items: { type: 'record', name, fields } };
}

const FIELD_SUMMARY = {
  type: 'record',
  name: 'r508',
  fields: [
    required(509, 'contains_null', 'boolean'),
    optional(518, 'contains_nan', 'boolean'),
    optional(510, 'lower_bound', 'bytes'),
    optional(511, 'upper_bound', 'bytes'),
  ],
};

export const MANIFEST_LIST_SCHEMA: AvroSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    required(500, 'manifest_path', 'string'),
    required(501, 'manifest_length', 'long'),
    required(502, 'partition_spec_id', 'int'),
    required(517, 'content', 'int'),
    required(515, 'sequence_number', 'long'),
    required(516, 'min_sequence_number', 'long'),
    required(503, 'added_snapshot_id', 'long'),
    required(504, 'added_files_count', 'int'),
    required(505, 'existing_files_count', 'int'),
    required(506, 'deleted_files_count', 'int'),
    required(512, 'added_rows_count', 'long'),
    required(513, 'existing_rows_count', 'long'),
    required(514, 'deleted_rows_count', 'long'),
    optional(507, 'partitions', { type: 'array', items: FIELD_SUMMARY, 'element-id': 508 }),
    optional(519, 'key_metadata', 'bytes'),
  ],
};

/** `types`: of the partition's fields, in order. */
export function manifestSchema(fields: readonly PartitionField[], types: readonly (IcebergType | 'date')[]): AvroSchema {
  const partition = {
    type: 'record',
    name: 'r102',
    fields: fields.map((field, index) => optional(field['field-id'], avroName(field.name), AVRO_TYPES[types[index]])),
  };
  const dataFile = {
    type: 'record',
    name: 'r2',
    fields: [
      required(134, 'content', 'int'),
      required(100, 'file_path', 'string'),
      required(101, 'file_format', 'string'),
      required(102, 'partition', partition),
      required(103, 'record_count', 'long'),
      required(104, 'file_size_in_bytes', 'long'),
      optional(108, 'column_sizes', mapOf(117, 118, 'long')),
      optional(109, 'value_counts', mapOf(119, 120, 'long')),
      optional(110, 'null_value_counts', mapOf(121, 122, 'long')),
      optional(137, 'nan_value_counts', mapOf(138, 139, 'long')),
      optional(125, 'lower_bounds', mapOf(126, 127, 'bytes')),
      optional(128, 'upper_bounds', mapOf(129, 130, 'bytes')),
      optional(131, 'key_metadata', 'bytes'),
      optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
      optional(135, 'equality_ids', { type: 'array', items: 'int', 'element-id': 136 }),
      optional(140, 'sort_order_id', 'int'),
      optional(143, 'referenced_data_file', 'string'),
    ],
  };
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      required(0, 'status', 'int'),
      optional(1, 'snapshot_id', 'long'),
      optional(3, 'sequence_number', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      required(2, 'data_file', dataFile),
    ],
  };
}

const AVRO_TYPES: Readonly<Record<IcebergType | 'date', unknown>> = {
  int: 'int',
  long: 'long',
  double: 'double',
  boolean: 'boolean',
  string: 'string',
  binary: 'bytes',
  timestamptz: { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true },
  date: { type: 'int', logicalType: 'date' },
};

/** Names of Avro have letters, digits and underscores only; Iceberg writes others as `_x` and the code point. */
export function avroName(name: string): string {
  return [...name].map((char, at) => (/[A-Za-z_]/.test(char) || (at > 0 && /\d/.test(char)) ? char : escaped(char))).join('');
}

function escaped(char: string): string {
  return /\d/.test(char) ? `_${char}` : `_x${char.codePointAt(0)!.toString(16).toUpperCase()}`;
}
