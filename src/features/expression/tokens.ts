import type { TailwaterError } from '../../base/index.ts';

export type Token = { at: number } & (
  | { kind: 'number'; value: number }
  | { kind: 'text'; value: string }
  | { kind: 'name'; text: string }
  | { kind: 'sign'; text: string }
);

const PATTERN =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|'([^'\\]*)'|"([^"\\]*)"|(\|\||&&|\?\?|==|!=|<=|>=|[-+*/%<>!?:(),.]))/y;

export function tokensOf(text: string, problem: (text: string) => TailwaterError): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  PATTERN.lastIndex = 0;
  while (PATTERN.lastIndex < end) {
    const from = PATTERN.lastIndex;
    const match = PATTERN.exec(text);
    if (match === null) throw problem(`cannot be read at character ${from + 1}`);
    tokens.push(tokenOf(match, from));
  }
  if (tokens.length === 0) throw problem('is empty');
  return tokens;
}

function tokenOf([, number, name, single, double, sign]: RegExpExecArray, at: number): Token {
  if (number !== undefined) return { kind: 'number', value: Number(number), at };
  if (name !== undefined) return { kind: 'name', text: name, at };
  const text = single ?? double;
  return text === undefined ? { kind: 'sign', text: sign, at } : { kind: 'text', value: text, at };
}
