import { createDotMemory, type DotMemory, type DotMemoryFactory } from './dot-kernel.ts';
import { CHUNK_ROWS } from './row-flags.ts';

const FIRST_ROWS = 256;

/**
 * The unit vectors of one chunk, row by row, beside room for a query and its dot products:
 * `query | dots of CHUNK_ROWS rows | rows`. Rows are padded with zeros to a multiple of four floats. The memory goes with the block.
 */
export class VectorBlock {
  readonly #dimensions: number;
  readonly #width: number;
  readonly #memory: DotMemory;
  #rows = 0;

  constructor(dimensions: number, createMemory: DotMemoryFactory = createDotMemory) {
    this.#dimensions = dimensions;
    this.#width = Math.ceil(dimensions / 4) * 4;
    this.#rows = FIRST_ROWS;
    this.#memory = createMemory(this.#bytesFor(FIRST_ROWS), this.#bytesFor(CHUNK_ROWS));
  }

  get bytes(): number {
    return this.#bytesFor(this.#rows);
  }

  /** Lets `fill` write a vector into the row's place, then makes it a unit vector. What is not a finite, non-zero vector becomes zero. */
  set(row: number, fill: (out: Float32Array, at: number) => void): void {
    if (row >= this.#rows) this.#grow(row + 1);
    const start = this.#rowStart(row) / 4;
    const floats = new Float32Array(this.#memory.buffer);
    floats.fill(0, start, start + this.#width);
    fill(floats, start);
    normalise(floats, start, this.#dimensions);
  }

  /** Dot products of the unit form of `query` with rows [firstRow, endRow): entry i is row firstRow + i. Valid until the next call. */
  dots(query: Float32Array, firstRow: number, endRow: number): Float32Array {
    const end = Math.min(endRow, this.#rows);
    if (end <= firstRow) return new Float32Array(0);
    const { buffer } = this.#memory;
    const place = new Float32Array(buffer, 0, this.#width);
    place.set(query);
    normalise(place, 0, this.#dimensions);
    const first = firstRow - (firstRow % 4);
    const out = this.#width * 4;
    this.#memory.dots(0, this.#rowStart(first), Math.ceil((end - first) / 4) * 4, this.#width * 4, out);
    return new Float32Array(buffer, out + (firstRow - first) * 4, end - firstRow);
  }

  #grow(rows: number): void {
    this.#rows = Math.min(CHUNK_ROWS, Math.max(rows, this.#rows * 4));
    this.#memory.grow(this.#bytesFor(this.#rows));
  }

  #rowStart(row: number): number {
    return (this.#width * (row + 1) + CHUNK_ROWS) * 4;
  }

  #bytesFor(rows: number): number {
    return this.#rowStart(rows);
  }
}

function normalise(floats: Float32Array, start: number, dimensions: number): void {
  let squares = 0;
  for (let at = start; at < start + dimensions; at++) squares += floats[at] * floats[at];
  const usable = squares > 0 && Number.isFinite(squares);
  const scale = usable ? 1 / Math.sqrt(squares) : 0;
  if (Math.abs(scale - 1) < 1e-7) return;
  if (!usable) floats.fill(0, start, start + dimensions);
  else for (let at = start; at < start + dimensions; at++) floats[at] *= scale;
}
