import { quotedName, type TableColumn, type TableRow, type TableSchema, textLiteral } from '../../lakehouse/index.ts';
import type { ColumnCondition } from './scan-types.ts';

const SYSTEM_TYPES: Readonly<Record<string, TableColumn['type']>> = {
  _partition: 'int64',
  _offset: 'int64',
  _seq: 'int64',
  _key_text: 'string',
};

/** Conditions on existing columns as Lance SQL: true for every row for which all are true. Null: nothing is ruled out. */
export function conditionsSql(conditions: readonly ColumnCondition[], schema: TableSchema): string | null {
  const parts = conditions.map(condition => conditionSql(condition, schema)).filter(part => part !== null);
  return parts.length === 0 ? null : parts.join(' AND ');
}

function conditionSql({ column, operator, value }: ColumnCondition, schema: TableSchema): string | null {
  if (typeof value === 'object') return `${quotedName(column)} ${operator} to_timestamp_micros(${value.micros})`;
  const type = SYSTEM_TYPES[column] ?? schema.columns.find(each => each.name === column)?.type;
  // A user column that only rows of the tail have is null in every row of the table.
  if (type === undefined) return column.startsWith('_') ? null : 'FALSE';
  const literal = literalOf(value, type);
  return literal === null ? null : `${quotedName(column)} ${operator} ${literal}`;
}

/** Whether the conditions on times may all be true for a row of the tail; what else is asked of it, is known only once it is parsed. */
export function mayHold({ timeMs, ingestedAtMs }: TableRow, conditions: readonly ColumnCondition[]): boolean {
  return conditions.every(({ column, operator, value }) => {
    if (typeof value !== 'object') return true;
    const difference = Math.round((column === '_time' ? timeMs : ingestedAtMs) * 1000) - value.micros;
    return HOLDS[operator](difference);
  });
}

const HOLDS: Readonly<Record<ColumnCondition['operator'], (difference: number) => boolean>> = {
  '=': difference => difference === 0,
  '<>': difference => difference !== 0,
  '<': difference => difference < 0,
  '<=': difference => difference <= 0,
  '>': difference => difference > 0,
  '>=': difference => difference >= 0,
};

/** Null when the two could be compared otherwise than DuckDB compares them. */
function literalOf(value: string | number | boolean, type: TableColumn['type']): string | null {
  if (type === 'string')
    return typeof value === 'string' && value.isWellFormed() && !value.includes('\0') ? textLiteral(value) : null;
  if (type === 'bool') return typeof value === 'boolean' ? String(value).toUpperCase() : null;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return null;
  if (type === 'int64') return String(value);
  return type === 'float64' ? `${value}.0` : null;
}
