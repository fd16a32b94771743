import { TailwaterError } from '../../base/index.ts';

/** The part of Lance's SQL that Tailwater writes: conditions over columns, with `AND`, `OR`, `NOT` and parentheses. */
export type Literal = string | number | bigint | boolean | Moment;

/** `to_timestamp_micros(…)`. */
export interface Moment {
  micros: bigint;
}

export type Condition =
  | { kind: 'and' | 'or'; conditions: Condition[] }
  | { kind: 'not'; condition: Condition }
  | { kind: 'constant'; value: boolean }
  | { kind: 'null'; column: string; isNull: boolean }
  | { kind: 'compare'; column: string; operator: string; value: Literal }
  | { kind: 'in'; column: string; values: Literal[] }
  | { kind: 'contains'; column: string; value: string };

const TOKEN = /\s*(?:(`[^`]+`|[A-Za-z_]\w*)|('(?:[^']|'')*')|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(<=|>=|<>|[=<>(),]))/y;

export function parseCondition(sql: string): Condition {
  const parser = new Parser(sql);
  const condition = parser.either();
  parser.end();
  return condition;
}

class Parser {
  readonly #sql: string;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(sql: string) {
    this.#sql = sql;
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < sql.trimEnd().length) {
      const match = TOKEN.exec(sql);
      if (match === null) throw this.#fault();
      this.#tokens.push(match[1] ?? match[2] ?? match[3] ?? match[4]);
    }
  }

  either(): Condition {
    const conditions = [this.#both()];
    while (this.#takes('OR')) conditions.push(this.#both());
    return conditions.length === 1 ? conditions[0] : { kind: 'or', conditions };
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#fault();
  }

  #both(): Condition {
    const conditions = [this.#negation()];
    while (this.#takes('AND')) conditions.push(this.#negation());
    return conditions.length === 1 ? conditions[0] : { kind: 'and', conditions };
  }

  #negation(): Condition {
    if (this.#takes('NOT')) return { kind: 'not', condition: this.#negation() };
    if (!this.#takes('(')) return this.#predicate();
    const inner = this.either();
    this.#expect(')');
    return inner;
  }

  #predicate(): Condition {
    const word = this.#next();
    if (word === 'TRUE' || word === 'FALSE') return { kind: 'constant', value: word === 'TRUE' };
    if (word === 'contains') return this.#contains();
    const column = word.startsWith('`') ? word.slice(1, -1) : word;
    if (this.#takes('IS')) {
      const isNull = !this.#takes('NOT');
      this.#expect('NULL');
      return { kind: 'null', column, isNull };
    }
    if (this.#takes('IN')) return { kind: 'in', column, values: this.#list() };
    return { kind: 'compare', column, operator: this.#next(), value: this.#literal() };
  }

  #contains(): Condition {
    this.#expect('(');
    const name = this.#next();
    this.#expect(',');
    const value = String(this.#literal());
    this.#expect(')');
    return { kind: 'contains', column: name.startsWith('`') ? name.slice(1, -1) : name, value };
  }

  #list(): Literal[] {
    this.#expect('(');
    const values = [this.#literal()];
    while (this.#takes(',')) values.push(this.#literal());
    this.#expect(')');
    return values;
  }

  #literal(): Literal {
    const token = this.#next();
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (token === 'to_timestamp_micros') return this.#moment();
    if (token === 'TRUE' || token === 'FALSE') return token === 'TRUE';
    return /^-?\d+$/.test(token) ? BigInt(token) : Number(token);
  }

  #moment(): Moment {
    this.#expect('(');
    const micros = BigInt(this.#next());
    this.#expect(')');
    return { micros };
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#takes(token)) throw this.#fault();
  }

  #next(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw this.#fault();
    return token;
  }

  #fault(): TailwaterError {
    return new TailwaterError('TW_BAD_REQUEST', {
      detail: `This condition cannot be read: ${this.#sql.slice(0, 200)}.`,
    });
  }
}
