import type { ArrowTable } from '../columns/arrow.ts';
import { encodeRows, keyText } from '../columns/encode-rows.ts';
import { parseCondition } from '../columns/sql-syntax.ts';
import type { TableSchema } from '../table-types.ts';
import type { StoredRow } from './memory-dataset.ts';
import { type ColumnValue, evaluate } from './sql-evaluate.ts';

/** The rows for which a condition is true. */
export function rowsWhere(schema: TableSchema, rows: readonly StoredRow[], where: string | null | undefined): StoredRow[] {
  if (where == null) return [...rows];
  const condition = parseCondition(where);
  return rows.filter(stored => {
    const values = new RowValues(schema, stored);
    return evaluate(condition, column => values.get(column)) === true;
  });
}

/** Rows are shared by versions and never change; the columns they have depend on the schema. */
const encodedRows = new WeakMap<StoredRow, { schema: string; table: ArrowTable }>();

/** What LanceDB would hold in the columns of a row. User columns are made as they are for LanceDB, when first asked for. */
class RowValues {
  readonly #schema: TableSchema;
  readonly #stored: StoredRow;

  constructor(schema: TableSchema, stored: StoredRow) {
    this.#schema = schema;
    this.#stored = stored;
  }

  get(column: string): ColumnValue {
    const { row, text, vector } = this.#stored;
    switch (column) {
      case '_partition':
        return row.partition;
      case '_offset':
        return row.offset;
      case '_seq':
        return row.seq;
      case '_key_text':
        return row.key === null ? null : keyText(row.key);
      case '_time':
        return BigInt(Math.round(row.timeMs * 1000));
      case '_ingested_at':
        return BigInt(Math.round(row.ingestedAtMs * 1000));
      case '_text':
        return text;
      case '_embedding':
        return vector;
      default:
        return this.#encoded().getChild(column)?.get(0) ?? null;
    }
  }

  #encoded(): ArrowTable {
    const schema = JSON.stringify(this.#schema.columns);
    const known = encodedRows.get(this.#stored);
    if (known?.schema === schema) return known.table;
    const table = encodeRows({ ...this.#schema, dimensions: null, text: false }, { rows: [this.#stored.row] }, 0, 1);
    encodedRows.set(this.#stored, { schema, table });
    return table;
  }
}
