import { type JsonValue, valueAt } from '../../base/index.ts';
import type { Equality } from '../filter/filter.ts';
import { grownTo } from './growable.ts';
import { CHUNK_ROWS } from './row-flags.ts';

/** So many fields of a chunk are indexed, the last ones asked for: at most 12 bytes a row and field, beside the distinct values. */
const MAX_FIELDS = 4;

/** The rows of a chunk by the values of fields that searches ask for: whoever wants one subject's rows need not look at all others'. */
export class ValueIndexes {
  readonly #fields = new Map<string, FieldIndex>();

  /** The rows below `count` that have the value, newest first. `valueAtRow` is asked about each row once per field. */
  rowsWith({ path, value }: Equality, count: number, valueAtRow: (row: number) => JsonValue): Iterable<number> {
    const known = this.#fields.get(path);
    const index = known ?? new FieldIndex(path);
    this.#fields.delete(path);
    this.#fields.set(path, index);
    if (this.#fields.size > MAX_FIELDS) this.#fields.delete(this.#fields.keys().next().value!);
    index.extend(count, valueAtRow);
    return index.rows(value);
  }
}

class FieldIndex {
  readonly #path: string;
  /** The newest row of each value. */
  readonly #newest = new Map<JsonValue, number>();
  /** Per row: the next older one of the same value, plus one; 0: none. */
  #older = new Uint32Array(0);
  #count = 0;

  constructor(path: string) {
    this.#path = path;
  }

  extend(count: number, valueAtRow: (row: number) => JsonValue): void {
    if (count <= this.#count) return;
    this.#older = grownTo(this.#older, count, CHUNK_ROWS);
    for (; this.#count < count; this.#count++) {
      const value = valueAt(valueAtRow(this.#count), this.#path);
      if (value === undefined || (typeof value === 'object' && value !== null)) continue;
      this.#older[this.#count] = (this.#newest.get(value) ?? -1) + 1;
      this.#newest.set(value, this.#count);
    }
  }

  *rows(value: JsonValue): Iterable<number> {
    for (let row = this.#newest.get(value) ?? -1; row >= 0; row = this.#older[row] - 1) yield row;
  }
}
