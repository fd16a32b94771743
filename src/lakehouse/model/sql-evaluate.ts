import type { Condition, Literal } from '../columns/sql-syntax.ts';

/** The value of a column; null is SQL's NULL. */
export type ColumnValue = Literal | Uint8Array | Float32Array | null;

/** SQL's three-valued logic: null is unknown. */
export function evaluate(condition: Condition, columnOf: (column: string) => ColumnValue): boolean | null {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return combine(condition.conditions, condition.kind === 'and', columnOf);
    case 'not': {
      const inner = evaluate(condition.condition, columnOf);
      return inner === null ? null : !inner;
    }
    case 'constant':
      return condition.value;
    case 'null':
      return (columnOf(condition.column) === null) === condition.isNull;
    case 'compare':
      return compare(condition.operator, columnOf(condition.column), condition.value);
    case 'in':
      return isOneOf(columnOf(condition.column), condition.values);
    case 'contains': {
      const value = columnOf(condition.column);
      return value === null ? null : String(value).includes(condition.value);
    }
  }
}

function combine(conditions: Condition[], all: boolean, columnOf: (column: string) => ColumnValue): boolean | null {
  let unknown = false;
  for (const condition of conditions) {
    const result = evaluate(condition, columnOf);
    if (result === !all) return !all;
    unknown ||= result === null;
  }
  return unknown ? null : all;
}

function isOneOf(value: ColumnValue, values: Literal[]): boolean | null {
  return value === null ? null : values.some(each => order(value, each) === 0);
}

function compare(operator: string, value: ColumnValue, limit: Literal): boolean | null {
  if (value === null) return null;
  const sign = order(value, limit);
  switch (operator) {
    case '=':
      return sign === 0;
    case '<>':
      return sign !== 0;
    case '<':
      return sign < 0;
    case '<=':
      return sign <= 0;
    case '>':
      return sign > 0;
    default:
      return sign >= 0;
  }
}

/** Texts by their UTF-8 bytes; numbers and bigints together. */
function order(value: ColumnValue, limit: Literal): number {
  if (typeof value === 'string' && typeof limit === 'string') return Buffer.compare(Buffer.from(value), Buffer.from(limit));
  if (typeof limit === 'object') return order(value, limit.micros);
  if (value === null || value === limit) return 0;
  return value < limit ? -1 : value > limit ? 1 : 0;
}
