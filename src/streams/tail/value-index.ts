import { type JsonValue, valueAt } from '../../base/index.ts';
import type { Equality } from '../filter/filter.ts';
import { grownTo } from './growable.ts';

/** So many fields are indexed, the last ones asked for: at most 8 bytes a row and field, beside the distinct values. */
const MAX_FIELDS = 4;

/** Rows by the values of fields that searches ask for: whoever wants one subject's rows need not look at all others'. Rows only ever get added. */
export class ValueIndexes {
  readonly #fields = new Map<string, FieldIndex>();

  /** How many rows are indexed by the field: those below this. */
  indexedRows(path: string): number {
    return this.#fields.get(path)?.count ?? 0;
  }

  /** Indexes the rows below `count`. `valueAtRow` is asked about each row once per field. */
  extend(path: string, count: number, valueAtRow: (row: number) => JsonValue): void {
    this.#fieldOf(path).extend(count, valueAtRow);
  }

  /** The rows that have the value, newest first: all below `count`, which are indexed first where they are not, and maybe newer ones. */
  rowsWith({ path, value }: Equality, count: number, valueAtRow: (row: number) => JsonValue): Iterable<number> {
    const index = this.#fieldOf(path);
    index.extend(count, valueAtRow);
    return index.rows(value);
  }

  #fieldOf(path: string): FieldIndex {
    const index = this.#fields.get(path) ?? new FieldIndex(path);
    this.#fields.delete(path);
    this.#fields.set(path, index);
    if (this.#fields.size > MAX_FIELDS) this.#fields.delete(this.#fields.keys().next().value!);
    return index;
  }
}

class FieldIndex {
  readonly #path: string;
  /** The newest row of each value. */
  readonly #newest = new Map<JsonValue, number>();
  /** Per row: the next older one of the same value, plus one; 0: none. */
  #older = new Uint32Array(0);
  count = 0;

  constructor(path: string) {
    this.#path = path;
  }

  extend(count: number, valueAtRow: (row: number) => JsonValue): void {
    if (count <= this.count) return;
    this.#older = grownTo(this.#older, count);
    for (; this.count < count; this.count++) {
      const value = valueAt(valueAtRow(this.count), this.#path);
      if (value === undefined || (typeof value === 'object' && value !== null)) continue;
      this.#older[this.count] = (this.#newest.get(value) ?? -1) + 1;
      this.#newest.set(value, this.count);
    }
  }

  *rows(value: JsonValue): Iterable<number> {
    for (let row = this.#newest.get(value) ?? -1; row >= 0; row = this.#older[row] - 1) yield row;
  }
}
