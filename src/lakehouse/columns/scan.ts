/**
 * Finds the fields of one JSON object in its UTF-8 bytes, without creating strings or objects: positions of each name and value, and how
 * the object is spaced. Strict JSON (RFC 8259); anything else makes the scan fail, and the caller falls back to JSON.parse.
 */
export const NULL = 0;
export const TRUE = 1;
export const FALSE = 2;
export const NUMBER = 3;
/** A string without escapes: the bytes between its quotes are its text. */
export const PLAIN_STRING = 4;
export const ESCAPED_STRING = 5;
export const OBJECT = 6;
export const ARRAY = 7;

/** How an object separates its fields: `{"a":1,"b":2}`, or `{"a": 1, "b": 2}` as Python writes it, or neither alike. */
export const COMPACT = 0;
export const SPACED = 1;
export const UNEVEN = 2;
/** No separator was seen, so any style reproduces it: `{}`. */
export const ANY_STYLE = 3;

const MAX_NESTING = 200;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const SPACE = 0x20;

export class FieldScan {
  count = 0;
  style = ANY_STYLE;
  /** Whether a byte of a string is outside ASCII, so that UTF-8 must be checked. */
  beyondAscii = false;
  /** Position after the closing brace. */
  end = 0;
  nameStart = new Int32Array(16);
  nameEnd = new Int32Array(16);
  valueStart = new Int32Array(16);
  valueEnd = new Int32Array(16);
  kind = new Uint8Array(16);

  #bytes: Uint8Array = new Uint8Array(0);
  #limit = 0;
  #at = 0;

  /** Scans the object that starts at `start`. False: not a plain JSON object (or a name with an escape). */
  scan(bytes: Uint8Array, start: number, limit: number): boolean {
    this.#bytes = bytes;
    this.#limit = limit;
    this.#at = start;
    this.count = 0;
    this.style = ANY_STYLE;
    this.beyondAscii = false;
    if (start >= limit || bytes[start] !== OPEN_BRACE) return false;
    this.#at++;
    const gap = this.#skipSpace();
    if (this.#peek() === CLOSE_BRACE) {
      if (gap !== 0) this.style = UNEVEN;
      this.end = ++this.#at;
      return true;
    }
    if (gap !== 0) this.style = UNEVEN;
    return this.#fields();
  }

  #fields(): boolean {
    for (;;) {
      if (!this.#field()) return false;
      if (this.#skipSpace() !== 0) this.style = UNEVEN;
      const next = this.#peek();
      this.#at++;
      if (next === CLOSE_BRACE) break;
      if (next !== COMMA) return false;
      this.#noteGap();
    }
    this.end = this.#at;
    return true;
  }

  #field(): boolean {
    if (this.#peek() !== QUOTE) return false;
    const index = this.count;
    if (index === this.kind.length) this.#grow();
    this.nameStart[index] = this.#at + 1;
    if (this.#string() !== PLAIN_STRING) return false;
    this.nameEnd[index] = this.#at - 1;
    if (this.#skipSpace() !== 0) this.style = UNEVEN;
    if (this.#peek() !== COLON) return false;
    this.#at++;
    this.#noteGap();
    this.valueStart[index] = this.#at;
    const kind = this.#value(0);
    if (kind < 0) return false;
    this.valueEnd[index] = this.#at;
    this.kind[index] = kind;
    this.count = index + 1;
    return true;
  }

  /** After a colon or comma: nothing is compact, one space is spaced. */
  #noteGap(): void {
    const single = this.#peek() === SPACE;
    const gap = this.#skipSpace();
    const style = gap === 0 ? COMPACT : gap === 1 && single ? SPACED : UNEVEN;
    if (this.style === ANY_STYLE) this.style = style;
    else if (this.style !== style) this.style = UNEVEN;
  }

  #value(depth: number): number {
    switch (this.#peek()) {
      case QUOTE:
        return this.#string();
      case OPEN_BRACE:
        return depth < MAX_NESTING && this.#object(depth) ? OBJECT : -1;
      case OPEN_BRACKET:
        return depth < MAX_NESTING && this.#array(depth) ? ARRAY : -1;
      case 0x74:
        return this.#word('true') ? TRUE : -1;
      case 0x66:
        return this.#word('false') ? FALSE : -1;
      case 0x6e:
        return this.#word('null') ? NULL : -1;
      default:
        return this.#number() ? NUMBER : -1;
    }
  }

  #word(word: string): boolean {
    const at = this.#at;
    this.#at = at + word.length;
    if (this.#at > this.#limit) return false;
    for (let index = 0; index < word.length; index++) if (this.#bytes[at + index] !== word.charCodeAt(index)) return false;
    return true;
  }

  #string(): number {
    const bytes = this.#bytes;
    const limit = this.#limit;
    let at = this.#at + 1;
    let kind = PLAIN_STRING;
    let seen = 0;
    for (; at < limit; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        if (seen >= 0x80) this.beyondAscii = true;
        this.#at = at + 1;
        return kind;
      }
      if (byte < SPACE) return -1;
      if (byte === BACKSLASH) {
        const length = escapeLength(bytes, at, limit);
        if (length === 0) return -1;
        at += length - 1;
        kind = ESCAPED_STRING;
      }
      seen |= byte;
    }
    return -1;
  }

  #number(): boolean {
    if (this.#peek() === MINUS) this.#at++;
    if (this.#peek() === ZERO) this.#at++;
    else if (this.#digits() === 0) return false;
    if (this.#peek() === 0x2e) {
      this.#at++;
      if (this.#digits() === 0) return false;
    }
    const exponent = this.#peek();
    if (exponent === 0x65 || exponent === 0x45) {
      this.#at++;
      const sign = this.#peek();
      if (sign === 0x2b || sign === MINUS) this.#at++;
      if (this.#digits() === 0) return false;
    }
    return true;
  }

  #digits(): number {
    const start = this.#at;
    let at = start;
    while (at < this.#limit && this.#bytes[at] >= ZERO && this.#bytes[at] <= NINE) at++;
    this.#at = at;
    return at - start;
  }

  #object(depth: number): boolean {
    this.#at++;
    this.#skipSpace();
    if (this.#takes(CLOSE_BRACE)) return true;
    for (;;) {
      if (this.#peek() !== QUOTE || this.#string() < 0) return false;
      this.#skipSpace();
      if (this.#peek() !== COLON) return false;
      this.#at++;
      this.#skipSpace();
      if (this.#value(depth + 1) < 0) return false;
      this.#skipSpace();
      const next = this.#peek();
      this.#at++;
      if (next === CLOSE_BRACE) return true;
      if (next !== COMMA) return false;
      this.#skipSpace();
    }
  }

  #array(depth: number): boolean {
    this.#at++;
    this.#skipSpace();
    if (this.#takes(CLOSE_BRACKET)) return true;
    for (;;) {
      if (this.#value(depth + 1) < 0) return false;
      this.#skipSpace();
      const next = this.#peek();
      this.#at++;
      if (next === CLOSE_BRACKET) return true;
      if (next !== COMMA) return false;
      this.#skipSpace();
    }
  }

  #takes(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.#at++;
    return true;
  }

  #peek(): number {
    return this.#at < this.#limit ? this.#bytes[this.#at] : -1;
  }

  /** Returns how many bytes of white space were skipped. */
  #skipSpace(): number {
    const start = this.#at;
    let at = start;
    for (; at < this.#limit; at++) {
      const byte = this.#bytes[at];
      if (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    }
    this.#at = at;
    return at - start;
  }

  #grow(): void {
    const size = this.kind.length * 2;
    this.nameStart = grown(this.nameStart, size);
    this.nameEnd = grown(this.nameEnd, size);
    this.valueStart = grown(this.valueStart, size);
    this.valueEnd = grown(this.valueEnd, size);
    const kind = new Uint8Array(size);
    kind.set(this.kind);
    this.kind = kind;
  }
}

function grown(array: Int32Array<ArrayBuffer>, size: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(size);
  larger.set(array);
  return larger;
}

/** Bytes of a valid escape sequence that starts at the backslash; 0 when it is not valid. */
function escapeLength(bytes: Uint8Array, at: number, limit: number): number {
  const letter = at + 1 < limit ? bytes[at + 1] : 0;
  if (letter !== 0x75) return ESCAPE_LETTERS.includes(letter) ? 2 : 0;
  if (at + 6 > limit) return 0;
  for (let digit = at + 2; digit < at + 6; digit++) {
    const lower = bytes[digit] | 0x20;
    if (!((bytes[digit] >= ZERO && bytes[digit] <= NINE) || (lower >= 0x61 && lower <= 0x66))) return 0;
  }
  return 6;
}

/** `"`, `\`, `/`, b, f, n, r, t. */
const ESCAPE_LETTERS: readonly number[] = [QUOTE, BACKSLASH, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74];
