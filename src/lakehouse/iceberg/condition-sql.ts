import { type Condition, type Literal, parseCondition } from '../columns/sql-syntax.ts';
import { duckText } from './duck.ts';

export interface ConditionColumns {
  /** What the column is called in the query. */
  columnOf(name: string): string;
  /** Whether it is known to be null in every row. */
  isNull(name: string): boolean;
}

/**
 * A condition in the dialect that table stores are asked in, as DuckDB's SQL. What is known to be null is said as a constant: `a = 1 OR
 * _extra IS NOT NULL` would keep DuckDB from leaving out row groups by `a`.
 */
export function toDuckSql(where: string, columns: ConditionColumns): string {
  return render(parseCondition(where), columns);
}

function render(condition: Condition, columns: ConditionColumns): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return `(${condition.conditions.map(each => render(each, columns)).join(condition.kind === 'and' ? ' AND ' : ' OR ')})`;
    case 'not':
      return `(NOT ${render(condition.condition, columns)})`;
    case 'constant':
      return condition.value ? 'TRUE' : 'FALSE';
    case 'null':
      if (columns.isNull(condition.column)) return condition.isNull ? 'TRUE' : 'FALSE';
      return `${columns.columnOf(condition.column)} IS ${condition.isNull ? '' : 'NOT '}NULL`;
    case 'compare':
      return `${columns.columnOf(condition.column)} ${condition.operator} ${literal(condition.value)}`;
    case 'in':
      return `${columns.columnOf(condition.column)} IN (${condition.values.map(literal).join(', ')})`;
    case 'contains':
      return `contains(${columns.columnOf(condition.column)}, ${duckText(condition.value)})`;
  }
}

/** A fraction is a decimal for DuckDB unless it is told; then it would be compared exactly, and not as the double that it stands for. */
function literal(value: Literal): string {
  if (typeof value === 'string') return duckText(value);
  if (typeof value === 'number') return `${duckText(String(value))}::DOUBLE`;
  return typeof value === 'object' ? `make_timestamptz(${value.micros})` : String(value);
}
