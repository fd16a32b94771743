import { isJsonObject, type JsonValue } from '../../base/index.ts';
import { FUNCTIONS, numberOrNull } from './functions.ts';
import type { BinaryOperator, Expression } from './tree.ts';

/** What a name stands for; undefined reads as null. */
export type Lookup = (name: string) => JsonValue | undefined;

/**
 * Pure. What is missing or of the wrong type is null, and so is arithmetic with it, a division by 0 and a result beyond the numbers;
 * an ordering of anything but two numbers or two texts is null. null, false, 0 and '' are false.
 */
export function evaluate(expression: Expression, lookup: Lookup): JsonValue {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'name':
      return expression.path.reduce<JsonValue>(member, lookup(expression.name) ?? null);
    case 'unary': {
      const operand = evaluate(expression.operand, lookup);
      if (expression.operator === '!') return !isTrue(operand);
      return typeof operand === 'number' ? -operand : null;
    }
    case 'binary':
      return binary(expression.operator, expression.left, expression.right, lookup);
    case 'choice':
      return evaluate(isTrue(evaluate(expression.condition, lookup)) ? expression.then : expression.otherwise, lookup);
    case 'call':
      return FUNCTIONS[expression.name].call(expression.parameters.map(parameter => evaluate(parameter, lookup)));
  }
}

function member(value: JsonValue, name: string): JsonValue {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : null;
}

function isTrue(value: JsonValue): boolean {
  return value !== null && value !== false && value !== 0 && value !== '';
}

function binary(operator: BinaryOperator, left: Expression, right: Expression, lookup: Lookup): JsonValue {
  const a = evaluate(left, lookup);
  switch (operator) {
    case '??':
      return a ?? evaluate(right, lookup);
    case '||':
      return isTrue(a) || isTrue(evaluate(right, lookup));
    case '&&':
      return isTrue(a) && isTrue(evaluate(right, lookup));
    case '==':
      return a === evaluate(right, lookup);
    case '!=':
      return a !== evaluate(right, lookup);
    default:
      return combined(operator, a, evaluate(right, lookup));
  }
}

type Combining = Exclude<BinaryOperator, '??' | '||' | '&&' | '==' | '!='>;

function combined(operator: Combining, a: JsonValue, b: JsonValue): JsonValue {
  if (typeof a === 'number' && typeof b === 'number') return ofNumbers(operator, a, b);
  if (typeof a === 'string' && typeof b === 'string') return ofTexts(operator, a, b);
  return null;
}

function ofNumbers(operator: Combining, a: number, b: number): JsonValue {
  switch (operator) {
    case '+':
      return numberOrNull(a + b);
    case '-':
      return numberOrNull(a - b);
    case '*':
      return numberOrNull(a * b);
    case '/':
      return b === 0 ? null : numberOrNull(a / b);
    case '%':
      return b === 0 ? null : numberOrNull(a % b);
    default:
      return ordered(operator, a, b);
  }
}

function ofTexts(operator: Combining, a: string, b: string): JsonValue {
  if (operator === '+') return a + b;
  return ['-', '*', '/', '%'].includes(operator) ? null : ordered(operator as '<', a, b);
}

function ordered<T extends number | string>(operator: '<' | '<=' | '>' | '>=', a: T, b: T): boolean {
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
  }
}
