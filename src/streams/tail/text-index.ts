import { grownTo } from './growable.ts';
import { CHUNK_ROWS } from './row-flags.ts';

const ROW_MASK = CHUNK_ROWS - 1;
const MAX_FREQUENCY = 2 ** 32 / CHUNK_ROWS - 1;
/** What V8 keeps per term beside the arrays: the map's entry and a short string. */
const BYTES_PER_TERM = 64;

export function rowOf(posting: number): number {
  return posting & ROW_MASK;
}

export function frequencyOf(posting: number): number {
  return posting >>> 13;
}

/**
 * The inverted index of one chunk. The postings of all terms share one pool; each posting packs row and frequency into 32 bits and links to
 * the previous posting of its term, so a term is read newest row first and adding a posting is two array writes.
 */
export class TextIndex {
  readonly #terms = new Map<string, number>();
  /** Per term: its newest posting. */
  #heads = new Int32Array(0);
  /** Per term: its number of postings. */
  #counts = new Uint32Array(0);
  /** Row in the low 13 bits, frequency above (at most 524,287). */
  #postings = new Uint32Array(0);
  #previous = new Int32Array(0);
  #length = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the terms of a row. Rows must come in ascending order. */
  add(row: number, terms: readonly string[]): void {
    for (const term of terms) {
      let id = this.#terms.get(term);
      if (id === undefined) id = this.#addTerm(term);
      const head = this.#heads[id];
      if (head >= 0 && (this.#postings[head] & ROW_MASK) === row) {
        if (this.#postings[head] >>> 13 < MAX_FREQUENCY) this.#postings[head] += CHUNK_ROWS;
      } else {
        this.#addPosting(id, row, head);
      }
    }
  }

  /** How many rows have the term. */
  count(term: string): number {
    const id = this.#terms.get(term);
    return id === undefined ? 0 : this.#counts[id];
  }

  /** Writes the postings of the term with rows in [firstRow, endRow) to `out`, newest first, and returns how many; `rowOf` and `frequencyOf` read one. */
  read(term: string, firstRow: number, endRow: number, out: Uint32Array): number {
    const id = this.#terms.get(term);
    if (id === undefined) return 0;
    const postings = this.#postings;
    const previous = this.#previous;
    let count = 0;
    for (let at = this.#heads[id]; at >= 0; at = previous[at]) {
      const posting = postings[at];
      const row = posting & ROW_MASK;
      if (row < firstRow) break;
      if (row < endRow) out[count++] = posting;
    }
    return count;
  }

  #addTerm(term: string): number {
    const id = this.#terms.size;
    this.#terms.set(term, id);
    this.#heads = grownTo(this.#heads, id + 1);
    this.#counts = grownTo(this.#counts, id + 1);
    this.#heads[id] = -1;
    this.#bytes += BYTES_PER_TERM + 8;
    return id;
  }

  #addPosting(id: number, row: number, head: number): void {
    const at = this.#length++;
    if (at >= this.#postings.length) {
      this.#postings = grownTo(this.#postings, at + 1);
      this.#previous = grownTo(this.#previous, at + 1);
    }
    this.#postings[at] = CHUNK_ROWS | row;
    this.#previous[at] = head;
    this.#heads[id] = at;
    this.#counts[id] += 1;
    this.#bytes += 8;
  }
}
