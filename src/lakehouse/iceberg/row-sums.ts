import type { DuckDBConnection } from '@duckdb/node-api';
import type { IcebergContext } from './iceberg-context.ts';
import type { IcebergField } from './iceberg-types.ts';
import { fromFiles, readName } from './parquet-reader.ts';
import { writePositions } from './rewrite.ts';
import type { TableView } from './table-reads.ts';

/** How many rows there are, and the sum of a hash of each over all of its columns: whatever order and files they lie in, equal rows have equal sums. */
export interface RowSum {
  rows: number;
  hash: string;
}

const NOTHING: RowSum = { rows: 0, hash: '0-0' };

/** Of the live rows of a view, within DuckDB's memory. */
export async function rowSum(context: Pick<IcebergContext, 'duck'>, view: TableView): Promise<RowSum> {
  if (view.data.length === 0) return NOTHING;
  const from = fromFiles(
    view.data.map(file => ({ path: view.pathOf(file) })),
    view.fields,
  );
  const release = await view.hold(view.data);
  try {
    return await context.duck.withTable(async (connection, table) => {
      const places = 'SELECT *, file_index::BIGINT AS "_file", file_row_number AS "_position"';
      const deleted = await writePositions(connection, table, view);
      return summed(
        connection,
        deleted ? `FROM (${places} ${from}) ANTI JOIN ${table} USING ("_file", "_position")` : from,
        view.fields,
      );
    });
  } catch (error) {
    throw await view.explain(error, view.data);
  } finally {
    release();
  }
}

async function summed(connection: DuckDBConnection, from: string, fields: readonly IcebergField[]): Promise<RowSum> {
  // Halves of a 128-bit hash, each summed in 128 bits: exact for any number of rows.
  const halves = ['upper', 'lower'].map(half => `coalesce(sum(md5_number_${half}("_text")::HUGEINT), 0)::VARCHAR`);
  const text = fields.map(textOf).join(" || '|' || ");
  const sql = `SELECT count(*)::VARCHAR, ${halves.join(', ')} FROM (SELECT ${text} AS "_text" ${from})`;
  const [[rows, upper, lower]] = (await connection.runAndReadAll(sql)).getRows();
  return { rows: Number(rows), hash: `${upper}-${lower}` };
}

/** A value as text, from which it could be read back: two rows have the same texts only if they are equal. Null is empty. */
function textOf(field: IcebergField): string {
  const name = readName(field);
  switch (field.type) {
    case 'string':
      return `coalesce(strlen(${name}) || ':' || ${name}, '')`;
    case 'binary':
      return `coalesce('x' || hex(${name}), '')`;
    case 'timestamptz':
      return `coalesce(epoch_us(${name})::VARCHAR, '')`;
    default:
      return `coalesce(${name}::VARCHAR, '')`;
  }
}
