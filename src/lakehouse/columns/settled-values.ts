import type { TableSchema } from '../table-types.ts';
import * as scan from './scan.ts';

/** Integers of so many characters are exact in a double: they widen no column. */
const SAFE_DIGITS = 15;

interface KnownField {
  nameBytes: Uint8Array;
  /** Whether a number may change the column's type. */
  widens: boolean;
}

/**
 * Tells by its bytes that a value changes nothing of a schema that is inferred, whatever values come before it: most do not, and parsing all
 * of them costs more than writing their rows. False also when a closer look is needed.
 */
export class SettledValues {
  readonly #fields: KnownField[];
  readonly #scan = new scan.FieldScan();

  constructor(schema: TableSchema) {
    this.#fields = schema.columns.map(({ path, type }) => ({ nameBytes: Buffer.from(path), widens: type === 'int64' }));
  }

  has(value: Uint8Array): boolean {
    const fields = this.#scan;
    if (!fields.scan(value, 0, value.length) || fields.end !== value.length) return false;
    let hint = 0;
    for (let index = 0; index < fields.count; index++) {
      const known = this.#find(value, fields.nameStart[index], fields.nameEnd[index], hint);
      if (known < 0) return false;
      hint = known + 1;
      if (fields.kind[index] !== scan.NUMBER || !this.#fields[known].widens) continue;
      if (!isSmallInteger(value, fields.valueStart[index], fields.valueEnd[index])) return false;
    }
    return true;
  }

  /** Fields mostly come in the order of the columns. */
  #find(bytes: Uint8Array, start: number, end: number, hint: number): number {
    const count = this.#fields.length;
    for (let step = 0; step < count; step++) {
      const position = (hint + step) % count;
      if (isAt(bytes, start, end, this.#fields[position].nameBytes)) return position;
    }
    return -1;
  }
}

function isAt(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let at = 0; at < name.length; at++) if (bytes[start + at] !== name[at]) return false;
  return true;
}

function isSmallInteger(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > SAFE_DIGITS) return false;
  for (let at = bytes[start] === 0x2d ? start + 1 : start; at < end; at++) if (bytes[at] < 0x30 || bytes[at] > 0x39) return false;
  return true;
}
