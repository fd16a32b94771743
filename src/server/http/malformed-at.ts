const STRING = /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NAME = /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"[ \t\r\n]*:/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\r\n]*/y;

/** What may come next: a value, a value or the end of its empty array, a name, a name or the end of its empty object, or a comma or the end. */
type Expected = 'value' | 'first-value' | 'name' | 'first-name' | 'more';

/** Where a text stops being JSON (RFC 8259), as an index into it; its length when it only ends too early. */
export function malformedAt(text: string): number {
  const scan = new Scan(text);
  while (scan.step());
  return scan.at;
}

class Scan {
  at = 0;
  readonly #text: string;
  readonly #closers: string[] = [];
  #expected: Expected = 'value';

  constructor(text: string) {
    this.#text = text;
  }

  /** Passes one token; false when there is none that fits. */
  step(): boolean {
    this.#pass(SPACE);
    const next = this.#text[this.at];
    if (this.#expected !== 'value' && this.#expected !== 'name' && next !== undefined && next === this.#closers.at(-1)) {
      this.#closers.pop();
      return this.#take('more');
    }
    if (this.#expected === 'more') return next === ',' && this.#take(this.#closers.at(-1) === '}' ? 'name' : 'value');
    if (this.#expected === 'name' || this.#expected === 'first-name') return this.#pass(NAME, 'value');
    if (next === '{' || next === '[') {
      this.#closers.push(next === '{' ? '}' : ']');
      return this.#take(next === '{' ? 'first-name' : 'first-value');
    }
    return this.#pass(STRING, 'more') || this.#pass(SCALAR, 'more');
  }

  #take(expected: Expected): true {
    this.at++;
    this.#expected = expected;
    return true;
  }

  #pass(pattern: RegExp, expected = this.#expected): boolean {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.#text)) return false;
    this.at = pattern.lastIndex;
    this.#expected = expected;
    return true;
  }
}
