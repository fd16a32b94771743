import type { Expression } from './tree.ts';

/** The names an expression reads, each once. */
export function expressionNames(expression: Expression): string[] {
  const names = new Set<string>();
  collect(expression, names);
  return [...names];
}

function collect(expression: Expression, into: Set<string>): void {
  if (expression.kind === 'name') into.add(expression.name);
  for (const part of partsOf(expression)) collect(part, into);
}

function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'name':
      return [];
    case 'unary':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'choice':
      return [expression.condition, expression.then, expression.otherwise];
    case 'call':
      return expression.parameters;
  }
}
