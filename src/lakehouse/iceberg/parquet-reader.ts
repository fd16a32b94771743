import type { DuckDBDataChunk } from '@duckdb/node-api';
import type { ArrowBatch } from '../columns/arrow.ts';
import { ChunkReader, readNumbers } from './chunk-reader.ts';
import { type Duck, duckText } from './duck.ts';
import { sqlType } from './fields.ts';
import type { IcebergField, TableFile } from './iceberg-types.ts';

/** A data file, with the positions of its rows that are deleted. */
export interface ReadFile {
  file: TableFile;
  path: string;
  deleted: ReadonlySet<number> | null;
}

export interface FileQuery {
  files: readonly ReadFile[];
  /** Every field of the table: files that are older than one hold null in it. */
  tableFields: readonly IcebergField[];
  /** What is read. */
  fields: readonly IcebergField[];
  /** DuckDB's SQL; null: every row. */
  where: string | null;
  /** Rows in rising order of this field; absent: as they lie. */
  orderBy?: IcebergField;
  /** Makes the files readable until what it returns is called. */
  hold(files: readonly ReadFile[]): Promise<() => void>;
}

/** Rows as they lie in files. */
export interface ReadBatch {
  batch: ArrowBatch;
  /** The rows of the batch that are not deleted, in order. */
  live: Int32Array;
  /** Per row of the batch: which of the query's files, and where in it. Null when not asked for and not needed. */
  places: { file: Float64Array; position: Float64Array } | null;
}

/**
 * The live rows of data files, in the order of files and positions unless many threads read. A batch may be used until the next one is asked for, and is
 * put together while DuckDB reads the one after it.
 */
export async function* readFiles(duck: Duck, query: FileQuery, options: { places?: boolean } = {}): AsyncGenerator<ReadBatch> {
  if (query.files.length === 0) return;
  const placed = (options.places ?? false) || query.files.some(file => file.deleted !== null);
  const connection = await duck.connect();
  let release = (): void => {};
  let next: Promise<DuckDBDataChunk | null> | null = null;
  try {
    release = await query.hold(query.files);
    const result = await connection.stream(selectOf(query, placed));
    const reader = new ChunkReader(query.fields);
    next = result.fetchChunk();
    for (;;) {
      const chunk = await next;
      if (chunk === null || chunk.rowCount === 0) return;
      next = result.fetchChunk();
      // It is awaited when it is asked for, or at the end.
      next.catch(() => {});
      const batch = reader.read(chunk);
      const places = placed
        ? { file: readNumbers(chunk, query.fields.length), position: readNumbers(chunk, query.fields.length + 1) }
        : null;
      yield { batch, live: liveRows(query.files, chunk.rowCount, places), places };
    }
  } finally {
    await next?.catch(() => {});
    connection.closeSync();
    release();
  }
}

/** How many live rows a condition keeps. */
export async function countFiles(duck: Duck, query: Omit<FileQuery, 'fields'>): Promise<number> {
  const whole = query.files.filter(file => file.deleted === null);
  let count = 0;
  if (whole.length > 0) {
    const sql = `SELECT count(*) ${fromFiles(whole, query.tableFields)}${query.where === null ? '' : ` WHERE ${query.where}`}`;
    const release = await query.hold(whole);
    try {
      count = await duck.use(async connection => Number((await connection.runAndReadAll(sql)).getRows()[0][0]));
    } finally {
      release();
    }
  }
  const partial = query.files.filter(file => file.deleted !== null);
  for await (const { live } of readFiles(duck, { ...query, files: partial, fields: [] })) count += live.length;
  return count;
}

/** The name of a column while it is read: none of a user's can be mistaken for one of DuckDB's own (`filename`, `file_index`). */
export function readName(field: IcebergField): string {
  return `c${field.id}`;
}

/** `FROM read_parquet(…)` with the table's columns, found by their field ids, under their `readName`. `rows`: how many there are, for the planner. */
export function fromFiles(files: readonly Pick<ReadFile, 'path'>[], fields: readonly IcebergField[], rows?: number): string {
  const paths = files.map(file => duckText(file.path)).join(', ');
  const columns = fields.map(
    field => `${field.id}: {name: '${readName(field)}', type: '${sqlType(field.type)}', default_value: NULL}`,
  );
  const cardinality = rows === undefined ? '' : `, explicit_cardinality = ${rows}`;
  return `FROM read_parquet([${paths}], schema = MAP {${columns.join(', ')}}${cardinality})`;
}

function selectOf(query: FileQuery, placed: boolean): string {
  const columns = query.fields.map(field => columnOf(query.files, field));
  if (placed) columns.push('file_index::BIGINT', 'file_row_number');
  const where = query.where === null ? '' : ` WHERE ${query.where}`;
  const order = query.orderBy === undefined ? '' : ` ORDER BY ${readName(query.orderBy)}`;
  return `SELECT ${columns.join(', ')} ${fromFiles(query.files, query.tableFields)}${where}${order}`;
}

/** A column of nulls alone is not read: that takes as long as reading values. */
function columnOf(files: readonly ReadFile[], field: IcebergField): string {
  const isNull = files.every(({ file }) => isNullIn(file, field));
  return isNull ? `NULL::${sqlType(field.type)} AS ${readName(field)}` : readName(field);
}

/** Whether the statistics of the file say that the field is null in every row. */
export function isNullIn({ nullCounts, records }: TableFile, { id }: IcebergField): boolean {
  return nullCounts.get(id) === records;
}

function liveRows(files: readonly ReadFile[], rows: number, places: ReadBatch['places']): Int32Array {
  const live = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const deleted = places === null ? null : files[places.file[row]].deleted;
    if (deleted === null || !deleted.has(places!.position[row])) live[count++] = row;
  }
  return live.subarray(0, count);
}
