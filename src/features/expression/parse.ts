import type { TailwaterError } from '../../base/index.ts';
import { invalid } from '../definition/problems.ts';
import { FUNCTIONS } from './functions.ts';
import { type Token, tokensOf } from './tokens.ts';
import type { BinaryOperator, Expression } from './tree.ts';

const MAX_LENGTH = 2000;
const MAX_DEPTH = 64;

/** By how tightly they bind, loosest first; all group from the left. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ['??'],
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%'],
];
const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

/** Parses an expression of numbers, texts, names, operators and known functions: nothing else can be said. Throws TW_VIEW_DEFINITION. */
export function parseExpression(text: string, at: string): Expression {
  if (text.length > MAX_LENGTH) throw invalid(at, `has ${text.length} characters; at most ${MAX_LENGTH} are allowed`);
  const tokens = tokensOf(text, problem => invalid(at, problem));
  return new ExpressionParser(tokens, at).whole();
}

class ExpressionParser {
  readonly #tokens: readonly Token[];
  readonly #at: string;
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], at: string) {
    this.#tokens = tokens;
    this.#at = at;
  }

  whole(): Expression {
    const expression = this.#choice();
    if (this.#next < this.#tokens.length) throw this.#unexpected();
    return expression;
  }

  #choice(): Expression {
    if (++this.#depth > MAX_DEPTH) throw invalid(this.#at, `is nested deeper than ${MAX_DEPTH} levels`);
    const condition = this.#binary(0);
    let expression = condition;
    if (this.#takes('?')) {
      const then = this.#choice();
      this.#require(':');
      expression = { kind: 'choice', condition, then, otherwise: this.#choice() };
    }
    this.#depth--;
    return expression;
  }

  #binary(level: number): Expression {
    if (level === LEVELS.length) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = LEVELS[level].find(candidate => this.#takes(candidate));
      if (operator === undefined) return left;
      left = { kind: 'binary', operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): Expression {
    const operator = (['-', '!'] as const).find(candidate => this.#takes(candidate));
    if (operator === undefined) return this.#primary();
    if (++this.#depth > MAX_DEPTH) throw invalid(this.#at, `is nested deeper than ${MAX_DEPTH} levels`);
    const operand = this.#unary();
    this.#depth--;
    return { kind: 'unary', operator, operand };
  }

  #primary(): Expression {
    const token = this.#tokens[this.#next];
    if (token === undefined) throw this.#unexpected();
    if (this.#takes('(')) {
      const inner = this.#choice();
      this.#require(')');
      return inner;
    }
    this.#next++;
    if (token.kind === 'number' || token.kind === 'text') return { kind: 'literal', value: token.value };
    if (token.kind === 'name') return this.#name(token.text);
    this.#next--;
    throw this.#unexpected();
  }

  #name(name: string): Expression {
    if (Object.hasOwn(LITERALS, name)) return { kind: 'literal', value: LITERALS[name] };
    if (this.#takes('(')) return this.#call(name);
    const path: string[] = [];
    while (this.#takes('.')) {
      const token = this.#tokens[this.#next++];
      if (token?.kind !== 'name') throw invalid(this.#at, 'has a dot without a name after it');
      path.push(token.text);
    }
    return { kind: 'name', name, path };
  }

  #call(name: string): Expression {
    const rule = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (rule === undefined)
      throw invalid(this.#at, `calls ${name}, which is no function; there are ${Object.keys(FUNCTIONS).join(', ')}`);
    const parameters: Expression[] = [];
    if (!this.#takes(')')) {
      do parameters.push(this.#choice());
      while (this.#takes(','));
      this.#require(')');
    }
    if (parameters.length < rule.least || parameters.length > rule.most) {
      throw invalid(this.#at, `calls ${name} with ${parameters.length} parameters`);
    }
    return { kind: 'call', name, parameters };
  }

  #takes(sign: string): boolean {
    const token = this.#tokens[this.#next];
    if (token?.kind !== 'sign' || token.text !== sign) return false;
    this.#next++;
    return true;
  }

  #require(sign: string): void {
    if (!this.#takes(sign)) throw this.#unexpected(`; "${sign}" is expected`);
  }

  #unexpected(more = ''): TailwaterError {
    const token = this.#tokens[this.#next];
    return invalid(
      this.#at,
      token === undefined ? `ends too early${more}` : `cannot be read at character ${token.at + 1}${more}`,
    );
  }
}
