import { analyze } from '../text/analyze.ts';
import type { Bm25 } from '../text/bm25.ts';
import type { Accept, Cut } from './cut.ts';
import { grownTo } from './growable.ts';
import { CHUNK_ROWS, ROW } from './row-flags.ts';
import { searchTextIn } from './search-text.ts';
import { searchVectorIn } from './search-vector.ts';
import type { SearchableChunk } from './searchable-chunk.ts';
import type { TailHit } from './tail-snapshot.ts';
import { TextIndex } from './text-index.ts';
import { VectorBlock } from './vector-block.ts';

const BYTES_PER_ROW = 5;

class RowChunk implements SearchableChunk {
  readonly base: number;
  readonly text = new TextIndex();
  readonly newestMark = -1;
  vectors: VectorBlock | null = null;
  flags = new Uint8Array(0);
  lengths = new Uint32Array(0);
  count = 0;

  constructor(base: number) {
    this.base = base;
  }

  get end(): number {
    return this.base + this.count;
  }

  get bytes(): number {
    return this.count * BYTES_PER_ROW + this.text.bytes + (this.vectors?.bytes ?? 0);
  }

  isSuperseded(): boolean {
    return false;
  }

  add(text: string | null, vector: Float32Array | null): void {
    const row = this.count++;
    this.flags = grownTo(this.flags, this.count, CHUNK_ROWS);
    this.lengths = grownTo(this.lengths, this.count, CHUNK_ROWS);
    if (text !== null) {
      const terms = analyze(text);
      this.lengths[row] = terms.length;
      this.text.add(row, terms);
      this.flags[row] |= ROW.document;
    }
    if (vector !== null) {
      this.vectors ??= new VectorBlock(vector.length);
      this.vectors.set(row, (out, at) => out.set(vector, at));
      this.flags[row] |= ROW.vector;
    }
  }
}

/**
 * Texts and vectors of rows that only ever get added, searched as the tail's are. Rows are named by ordinals 0, 1, 2, … in the order
 * they came; a search sees those below `end`, so that one index serves several moments.
 */
export class RowIndex {
  readonly #chunks: RowChunk[] = [];

  get rows(): number {
    return this.#chunks[this.#chunks.length - 1]?.end ?? 0;
  }

  /** Memory held, estimated. */
  get bytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
  }

  /** Takes the next row. All vectors have one length. */
  add(text: string | null, vector: Float32Array | null): void {
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.count === CHUNK_ROWS) {
      chunk = new RowChunk(this.rows);
      this.#chunks.push(chunk);
    }
    chunk.add(text, vector);
  }

  /** The best accepted rows below `end` by BM25, best first; ties: later rows first. */
  searchText(end: number, terms: readonly string[], bm25: Bm25, limit: number, accept: Accept): TailHit[] {
    const top = searchTextIn(this.#cut(end), terms, bm25, limit, accept);
    return top.sorted().map(({ ordinal, goodness }) => ({ ordinal, score: goodness }));
  }

  /** The nearest accepted rows below `end` that have a vector, by cosine distance; ties: later rows first. */
  searchVector(end: number, vector: Float32Array, limit: number, accept: Accept): TailHit[] {
    const top = searchVectorIn(this.#cut(end), vector, limit, accept);
    return top.sorted().map(({ ordinal, goodness }) => ({ ordinal, score: 1 - goodness }));
  }

  #cut(end: number): Cut<SearchableChunk> {
    return { chunks: this.#chunks.filter(chunk => chunk.base < end), start: 0, end };
  }
}
