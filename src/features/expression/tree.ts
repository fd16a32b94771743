export type Expression =
  | { kind: 'literal'; value: number | string | boolean | null }
  /** A feature or request value; further names lead into an object. */
  | { kind: 'name'; name: string; path: string[] }
  | { kind: 'unary'; operator: '-' | '!'; operand: Expression }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
  | { kind: 'choice'; condition: Expression; then: Expression; otherwise: Expression }
  | { kind: 'call'; name: string; parameters: Expression[] };

export type BinaryOperator = '||' | '&&' | '??' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%';
