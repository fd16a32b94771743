import type { DuckDBConnection } from '@duckdb/node-api';
import { BIGINT, DuckDBDataChunk } from '@duckdb/node-api';
import { CHUNK_ROWS } from './duck-columns.ts';
import { sqlType } from './fields.ts';
import type { IcebergContext } from './iceberg-context.ts';
import type { IcebergField, PartitionValue } from './iceberg-types.ts';
import { fromFiles, readName } from './parquet-reader.ts';
import type { FileTarget, WrittenFile } from './parquet-writer.ts';
import { liveCount, type TableView } from './table-reads.ts';

/**
 * The live rows of a view's files as one file with the target's fields, within DuckDB's memory. `oldFields`: those that the files may
 * have; a field of the same name in the target may have a wider type. Null when no row is left.
 */
export async function rewriteFiles(
  context: Pick<IcebergContext, 'duck' | 'writer'>,
  view: TableView,
  oldFields: readonly IcebergField[],
  target: FileTarget,
  partition: PartitionValue[],
): Promise<WrittenFile | null> {
  if (liveCount(view) === 0) return null;
  const old = new Map(oldFields.map(field => [field.name, field]));
  const sources = target.fields.map(field => old.get(field.name) ?? field);
  const source = new Map(target.fields.map((field, at) => [field, sources[at]]));
  const sourceOf = (field: IcebergField): string => `${readName(source.get(field)!)}::${sqlType(field.type)}`;
  const from = fromFiles(
    view.data.map(file => ({ path: view.pathOf(file) })),
    sources,
  );
  const release = await view.hold(view.data);
  try {
    return await context.duck.withTable(async (connection, table) => {
      const deleted = await writePositions(connection, table, view);
      const places = 'SELECT *, file_index::BIGINT AS "_file", file_row_number AS "_position"';
      const kept = `FROM (${places} ${from}) ANTI JOIN ${table} USING ("_file", "_position")`;
      return context.writer.copy(connection, deleted ? kept : from, { ...target, sourceOf }, partition);
    });
  } finally {
    release();
  }
}

/** Whether any row of the view is deleted; their places are then in the table. */
export async function writePositions(connection: DuckDBConnection, table: string, view: TableView): Promise<boolean> {
  const places = view.data.flatMap((file, index) =>
    [...(view.deleted.get(file.name) ?? [])].map(position => [BigInt(index), BigInt(position)] as const),
  );
  if (places.length === 0) return false;
  await connection.run(`CREATE TABLE ${table} ("_file" BIGINT, "_position" BIGINT)`);
  const appender = await connection.createAppender(table);
  for (let start = 0; start < places.length; start += CHUNK_ROWS) {
    const part = places.slice(start, start + CHUNK_ROWS);
    const chunk = DuckDBDataChunk.create([BIGINT, BIGINT], part.length);
    chunk.setColumnValues(
      0,
      part.map(([file]) => file),
    );
    chunk.setColumnValues(
      1,
      part.map(([, position]) => position),
    );
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  return true;
}
