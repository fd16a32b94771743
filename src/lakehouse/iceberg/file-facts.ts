import { boundOf, longBytes } from './bounds.ts';
import { type Duck, duckText } from './duck.ts';
import { sqlType } from './fields.ts';
import type { IcebergField } from './iceberg-types.ts';
import { fromFiles, readName } from './parquet-reader.ts';
import { UNBOUNDED, type WrittenFile } from './parquet-writer.ts';

/** Texts are cut to what bounds need of them. */
const TEXT_CHARS = 64;

type Statistics = Pick<WrittenFile, 'records' | 'columnBytes' | 'valueCounts' | 'nullCounts' | 'lower' | 'upper'>;

/** What Parquet files say of their types, where it is not the name that SQL has. */
const FILE_TYPES: Readonly<Record<string, string>> = { TIMESTAMPTZ: 'TIMESTAMP WITH TIME ZONE' };

/**
 * What keeps a Parquet file from being a data file of a table: every column must be one of the table's by its field id, and of its type, as
 * other engines would not convert it. A column that is not there is null. Null: nothing.
 */
export async function columnFault(duck: Duck, path: string, fields: readonly IcebergField[]): Promise<string | null> {
  const sql = `SELECT name, field_id::INTEGER, duckdb_type, num_children::INTEGER FROM parquet_schema(${duckText(path)}) ORDER BY column_id::INTEGER`;
  const [, ...columns] = await duck.use(async connection => (await connection.runAndReadAll(sql)).getRows());
  const wanted = new Map(fields.map(field => [field.id, field]));
  for (const [name, id, type, children] of columns) {
    const field = wanted.get(Number(id ?? Number.NaN));
    if (field === undefined || children !== null) return `its column ${name} is not one of the table's by its field id`;
    wanted.delete(field.id);
    const sqlName = sqlType(field.type);
    if (type !== (FILE_TYPES[sqlName] ?? sqlName)) return `its column ${name} is of type ${type}, the table's is ${field.type}`;
  }
  return null;
}

/** Statistics of a file of another engine, from its rows: what it says itself is not relied on. */
export async function statisticsOf(duck: Duck, path: string, fields: readonly IcebergField[]): Promise<Statistics> {
  const shown = fields.map(field => [`count(${readName(field)})`, ...bounds(field)]);
  const sql = `SELECT count(*), ${shown
    .flat()
    .map(each => `(${each})::VARCHAR`)
    .join(', ')} ${fromFiles([{ path }], fields)}`;
  const [[count, ...values]] = await duck.use(async connection => (await connection.runAndReadAll(sql)).getRows());
  const records = Number(count);
  const found: Statistics = {
    records,
    columnBytes: new Map(),
    valueCounts: new Map(fields.map(({ id }) => [id, records])),
    nullCounts: new Map(fields.map(({ id }, at) => [id, records - Number(values[at * 3])])),
    lower: new Map(fields.flatMap((field, at) => bound(field, values[at * 3 + 1], 'lower'))),
    upper: new Map(fields.flatMap((field, at) => bound(field, values[at * 3 + 2], 'upper'))),
  };
  return found;
}

function bounds(field: IcebergField): [low: string, high: string] {
  if (field.type === 'binary' || UNBOUNDED.has(field.name)) return ['NULL', 'NULL'];
  const name = readName(field);
  const ends = [`min(${name})`, `max(${name})`];
  const [low, high] = ends.map(end => {
    if (field.type === 'timestamptz') return `epoch_us(${end})`;
    if (field.type === 'double') return `${end} FILTER (WHERE NOT isnan(${name}))`;
    return field.type === 'string' ? `left(${end}, ${TEXT_CHARS})` : end;
  });
  return [low, high];
}

function bound(field: IcebergField, text: unknown, side: 'lower' | 'upper'): [number, Uint8Array][] {
  if (typeof text !== 'string') return [];
  const bytes = field.type === 'timestamptz' ? longBytes(BigInt(text)) : boundOf(field.type, text, side);
  return bytes === undefined ? [] : [[field.id, bytes]];
}
