import { byteString, fromUtf8, type JsonValue, type Pace } from '../base/index.ts';
import type { IndexableRow, TableRow } from '../lakehouse/index.ts';
import { type Bm25, type Equality, RowIndex, ValueIndexes } from '../streams/index.ts';

/** What the searches think of a row of the table; false: it is not wanted. */
export type AcceptRow = (row: TableRow) => boolean;

export interface ResidentHit {
  row: TableRow;
  /** BM25 (higher is better), or the cosine distance (lower is better) of vector hits. */
  score: number;
}

/** What a row object and its place in the maps cost beside its value, estimated. */
const BYTES_PER_ROW = 400;
/** Rows that are indexed in one go. */
const INDEX_ROWS = 256;

/** Rows of several table states of one stream: newer states only add to it. */
interface Shelf {
  readonly index: RowIndex;
  /** By ordinal, in log order. */
  readonly rows: TableRow[];
  /** Key -> its newest ordinal (upsert streams only). */
  readonly newest: Map<string, number>;
  readonly values: ValueIndexes;
  valueBytes: number;
}

/**
 * The rows of one table state, in memory and indexed as the tail's are: for small tables, whose search in LanceDB costs many times what it
 * costs here. Immutable; the rows of the next state are put on the same shelf, so that a compaction costs what it adds.
 */
export class ResidentRows {
  readonly #shelf: Shelf;
  readonly #end: number;
  /** Ordinals below `end` that this state no longer has. */
  readonly #gone: ReadonlySet<number>;

  private constructor(shelf: Shelf, end: number, gone: ReadonlySet<number>) {
    this.#shelf = shelf;
    this.#end = end;
    this.#gone = gone;
  }

  static empty(): ResidentRows {
    return new ResidentRows(
      { index: new RowIndex(), rows: [], newest: new Map(), values: new ValueIndexes(), valueBytes: 0 },
      0,
      new Set(),
    );
  }

  get rowCount(): number {
    return this.#end - this.#gone.size;
  }

  /** Rows that only older states have: they are carried along until the rows are loaded anew. */
  get goneCount(): number {
    return this.#gone.size;
  }

  /** Memory held, estimated, together with newer and older states on the same shelf. */
  get bytes(): number {
    const { index, rows, valueBytes } = this.#shelf;
    return index.bytes + valueBytes + rows.length * BYTES_PER_ROW;
  }

  /**
   * The next state: without the rows of `leaving` keys, with `added` rows, which are newer than all here and in log order, at
   * this pace. Null when a newer state is on the shelf already.
   */
  async next(leaving: Iterable<Uint8Array>, added: readonly IndexableRow[], pace: Pace): Promise<ResidentRows | null> {
    const shelf = this.#shelf;
    if (shelf.rows.length !== this.#end) return null;
    const gone = new Set(this.#gone);
    for (const key of leaving) {
      const ordinal = shelf.newest.get(byteString(key));
      if (ordinal !== undefined) gone.add(ordinal);
    }
    for (const { row, text, vector } of added) {
      if (row.key !== null) shelf.newest.set(byteString(row.key), shelf.rows.length);
      shelf.rows.push(row);
      shelf.index.add(text, vector);
      shelf.valueBytes += row.value?.length ?? 0;
      if (pace.due) await pace.rest();
    }
    return new ResidentRows(shelf, shelf.rows.length, gone);
  }

  searchText(terms: readonly string[], bm25: Bm25, limit: number, accept: AcceptRow): ResidentHit[] {
    const hits = this.#shelf.index.searchText(this.#end, terms, bm25, limit, this.#accepting(accept));
    return hits.map(({ ordinal, score }) => ({ row: this.#shelf.rows[ordinal], score }));
  }

  /** Rows without a vector never appear. */
  searchVector(vector: Float32Array, limit: number, accept: AcceptRow): ResidentHit[] {
    const hits = this.#shelf.index.searchVector(this.#end, vector, limit, this.#accepting(accept));
    return hits.map(({ ordinal, score }) => ({ row: this.#shelf.rows[ordinal], score }));
  }

  /** Makes `newest` by this field read only the rows that have the value; the first time reads all, at this pace. */
  async indexBy(path: string, pace: Pace): Promise<void> {
    const { values } = this.#shelf;
    for (let count = values.indexedRows(path); count < this.#end; ) {
      count = Math.min(this.#end, count + INDEX_ROWS);
      values.extend(path, count, this.#valueAtRow);
      if (pace.due) await pace.rest();
    }
  }

  /** The newest accepted rows, newest first. `equal`: what every row that is accepted has, where something is known. */
  newest(limit: number, accept: AcceptRow, equal: Equality | null = null): TableRow[] {
    const found: TableRow[] = [];
    const accepts = this.#accepting(accept);
    for (const ordinal of this.#newestOrdinals(equal)) {
      if (found.length >= limit) break;
      if (accepts(ordinal)) found.push(this.#shelf.rows[ordinal]);
    }
    return found;
  }

  *#newestOrdinals(equal: Equality | null): Iterable<number> {
    if (equal === null) {
      for (let ordinal = this.#end - 1; ordinal >= 0; ordinal--) yield ordinal;
      return;
    }
    for (const ordinal of this.#shelf.values.rowsWith(equal, this.#end, this.#valueAtRow)) if (ordinal < this.#end) yield ordinal;
  }

  readonly #valueAtRow = (ordinal: number): JsonValue => {
    const { value } = this.#shelf.rows[ordinal];
    return value === null ? null : JSON.parse(fromUtf8(value));
  };

  #accepting(accept: AcceptRow): (ordinal: number) => boolean {
    const { rows } = this.#shelf;
    return ordinal => !this.#gone.has(ordinal) && accept(rows[ordinal]);
  }
}
