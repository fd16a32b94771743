import { type Condition, type Literal, parseCondition } from '../columns/sql-syntax.ts';
import { duckText } from './duck.ts';

/** A condition in the dialect that table stores are asked in, as DuckDB's SQL. */
export function toDuckSql(where: string, columnOf: (name: string) => string): string {
  return render(parseCondition(where), columnOf);
}

function render(condition: Condition, columnOf: (name: string) => string): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return `(${condition.conditions.map(each => render(each, columnOf)).join(condition.kind === 'and' ? ' AND ' : ' OR ')})`;
    case 'not':
      return `(NOT ${render(condition.condition, columnOf)})`;
    case 'constant':
      return condition.value ? 'TRUE' : 'FALSE';
    case 'null':
      return `${columnOf(condition.column)} IS ${condition.isNull ? '' : 'NOT '}NULL`;
    case 'compare':
      return `${columnOf(condition.column)} ${condition.operator} ${literal(condition.value)}`;
    case 'in':
      return `${columnOf(condition.column)} IN (${condition.values.map(literal).join(', ')})`;
    case 'contains':
      return `contains(${columnOf(condition.column)}, ${duckText(condition.value)})`;
  }
}

/** A fraction is a decimal for DuckDB unless it is told; then it would be compared exactly, and not as the double that it stands for. */
function literal(value: Literal): string {
  if (typeof value === 'string') return duckText(value);
  if (typeof value === 'number') return `${duckText(String(value))}::DOUBLE`;
  return typeof value === 'object' ? `make_timestamptz(${value.micros})` : String(value);
}
