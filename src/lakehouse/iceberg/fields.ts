import { TailwaterError } from '../../base/index.ts';
import type { ArrowType } from '../columns/arrow.ts';
import { arrowSchema, type DatasetKind } from '../columns/arrow-schema.ts';
import type { TableSchema } from '../table-types.ts';
import type { IcebergField, IcebergSchema, IcebergType } from './iceberg-types.ts';

/** Field ids of the system columns; the same in every table, for ever. */
const SYSTEM_IDS: ReadonlyMap<string, number> = new Map([
  ['_partition', 1],
  ['_offset', 2],
  ['_seq', 3],
  ['_key', 4],
  ['_key_text', 5],
  ['_time', 6],
  ['_ingested_at', 7],
  ['_headers', 8],
  ['_extra', 9],
  ['_layout', 10],
  ['_raw', 11],
  ['_superseded_at', 12],
]);

/**
 * Columns that have another name in the files of a table: "_partition" is one of Iceberg's own metadata columns, and Spark refuses every
 * table that has it.
 */
const FILE_NAMES: ReadonlyMap<string, string> = new Map([['_partition', '_stream_partition']]);
const NAMES_OF_FILES: ReadonlyMap<string, string> = new Map([...FILE_NAMES].map(([name, inFiles]) => [inFiles, name]));

/** The name of a column in metadata, manifests and data files. */
export function fileName(name: string): string {
  return FILE_NAMES.get(name) ?? name;
}

/** A schema as it stands in metadata and manifests. */
export function schemaInFiles(schema: IcebergSchema): IcebergSchema {
  return { ...schema, fields: schema.fields.map(field => ({ ...field, name: fileName(field.name) })) };
}

export function schemaOfFiles(schema: IcebergSchema): IcebergSchema {
  return { ...schema, fields: schema.fields.map(field => ({ ...field, name: NAMES_OF_FILES.get(field.name) ?? field.name })) };
}

/** The user's columns have higher ids, each its own for ever. */
export const LAST_SYSTEM_ID = 100;

/**
 * The fields of a table, given those before. A column keeps its id while it keeps its type; a wider type is another column for Iceberg,
 * which knows no way from long to double: its values are written anew.
 */
export function nextFields(
  schema: TableSchema,
  kind: DatasetKind,
  previous: readonly IcebergField[],
  lastId: number,
): { fields: IcebergField[]; lastId: number } {
  const known = new Map(previous.map(field => [field.name, field]));
  let id = lastId;
  const fields = arrowSchema(schema, kind).fields.map(({ name, type, nullable }): IcebergField => {
    const icebergType = typeOf(type);
    const before = known.get(name);
    if (before?.type === icebergType) return before;
    return { id: SYSTEM_IDS.get(name) ?? ++id, name, required: !nullable, type: icebergType };
  });
  return { fields, lastId: id };
}

export function sameFields(one: readonly IcebergField[], other: readonly IcebergField[]): boolean {
  return one.length === other.length && one.every((field, at) => field.id === other[at].id && field.name === other[at].name);
}

/** Throws TW_DATA_DAMAGED when a state names a column that its table lacks. */
export function fieldNamed(fields: readonly IcebergField[], name: string): IcebergField {
  const field = fields.find(each => each.name === name);
  if (field !== undefined) return field;
  throw new TailwaterError('TW_DATA_DAMAGED', { detail: `The table lacks its column ${name}.` });
}

const TYPES: Readonly<Record<string, IcebergType>> = {
  Int32: 'int',
  Int64: 'long',
  Utf8: 'string',
  Binary: 'binary',
  Float64: 'double',
  Bool: 'boolean',
};

function typeOf(type: ArrowType): IcebergType {
  const name = type.toString();
  return name.startsWith('Timestamp') ? 'timestamptz' : TYPES[name];
}

const SQL_TYPES: Readonly<Record<IcebergType, string>> = {
  int: 'INTEGER',
  long: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  string: 'VARCHAR',
  binary: 'BLOB',
  timestamptz: 'TIMESTAMPTZ',
};

export function sqlType(type: IcebergType): string {
  return SQL_TYPES[type];
}
