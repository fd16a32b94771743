import { isJsonObject, type JsonValue } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { TableColumn, TableSchema } from '../table-types.ts';
import { ColumnNames, MAX_COLUMNS } from './names.ts';

/** Doubles below this are within int64. */
export const INT64_LIMIT = 2 ** 63;

/**
 * Folds values, in log order, into the schema: a pure function of the schema and the values. Scalars at the top level become columns
 * of their type, nested values json columns; an int64 column widens to float64 when a fraction arrives and every integer so far is
 * exact in a double; other conflicts change nothing (such values live in `_extra`). Streams with a declared schema do not infer.
 * Returns the same object when nothing changes, else a schema with the next id.
 */
export function inferSchema(schema: TableSchema, definition: StreamDefinition, values: Iterable<JsonValue>): TableSchema {
  if (definition.schema !== null) return schema;
  const fold = new SchemaFold(schema);
  for (const value of values) fold.add(value);
  return fold.result();
}

export class SchemaFold {
  readonly #base: TableSchema;
  readonly #columns: TableColumn[];
  readonly #positions: Map<string, number>;
  #names: ColumnNames | null = null;
  #changed = false;

  constructor(schema: TableSchema) {
    this.#base = schema;
    this.#columns = [...schema.columns];
    this.#positions = new Map(schema.columns.map((column, position) => [column.path, position]));
  }

  add(value: JsonValue): void {
    if (!isJsonObject(value)) return;
    for (const name in value) {
      const field = value[name];
      if (field !== null) this.#addField(name, field);
    }
  }

  result(): TableSchema {
    return this.#changed ? { ...this.#base, id: this.#base.id + 1, columns: this.#columns } : this.#base;
  }

  #addField(name: string, field: JsonValue): void {
    const position = this.#positions.get(name);
    if (position !== undefined) {
      this.#columns[position] = this.#grown(this.#columns[position], field);
    } else if (this.#columns.length < MAX_COLUMNS) {
      this.#names ??= new ColumnNames(this.#columns);
      const column: TableColumn = { name: this.#names.take(name), path: name, ...typeOf(field) };
      this.#positions.set(name, this.#columns.length);
      this.#columns.push(name.includes('.') ? { ...column, literal: true } : column);
      this.#changed = true;
    }
  }

  #grown(column: TableColumn, field: JsonValue): TableColumn {
    if (column.type !== 'int64' || typeof field !== 'number') return column;
    const type = numberType(field);
    if (type.type === 'float64' ? column.wide : !type.wide || column.wide) return column;
    this.#changed = true;
    return { ...column, ...type };
  }
}

function typeOf(field: JsonValue): Pick<TableColumn, 'type' | 'wide'> {
  if (typeof field === 'string') return { type: 'string' };
  if (typeof field === 'boolean') return { type: 'bool' };
  return typeof field === 'number' ? numberType(field) : { type: 'json' };
}

function numberType(value: number): Pick<TableColumn, 'type' | 'wide'> {
  if (!fitsInt64(value)) return { type: 'float64' };
  return Number.isSafeInteger(value) ? { type: 'int64' } : { type: 'int64', wide: true };
}

/** Judged on the double that JSON.parse gives, so that parsed values and source texts decide alike. */
export function fitsInt64(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < INT64_LIMIT;
}
