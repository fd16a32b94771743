import { createDotMemory, type DotMemory, type DotMemoryFactory } from './dot-kernel.ts';
import { grownTo } from './growable.ts';
import { CHUNK_ROWS } from './row-flags.ts';

const FIRST_ROWS = 256;
const MAX_CODE = 127;
const MAX_QUERY_CODE = 8_191;
const FLOAT32_EPSILON = 2 ** -23;

/**
 * The unit vectors of one chunk, exact and as codes of 8 bits a number: a scan reads the codes, a quarter of the bytes, and gives for each row a
 * number that its dot product does not exceed; only rows that this does not rule out are read exactly. The bound is |q.v - q'.v'| <= |q - q'| |v'| + |q| |v - v'|
 * (Cauchy-Schwarz), with the lengths of both differences as measured.
 * The memory, `query | its codes | sums of CHUNK_ROWS rows | codes of CHUNK_ROWS rows | rows`, goes with the block.
 */
export class VectorBlock {
  readonly #dimensions: number;
  /** Floats of a row, padded with zeros so that its codes are a multiple of 16. */
  readonly #width: number;
  readonly #memory: DotMemory;
  /** What a code of the row is multiplied with, and the length of what it leaves out. */
  #scales = new Float32Array(0);
  #errors = new Float32Array(0);
  #rows = FIRST_ROWS;
  #queryScale = 0;
  #queryError = 0;

  constructor(dimensions: number, createMemory: DotMemoryFactory = createDotMemory) {
    this.#dimensions = dimensions;
    this.#width = Math.ceil(dimensions / 16) * 16;
    this.#memory = createMemory(this.#rowStart(FIRST_ROWS), this.#rowStart(CHUNK_ROWS));
  }

  /** Memory in use; what is only reserved is not counted. */
  get bytes(): number {
    return this.#codeStart(0) + this.#rows * this.#width * 5;
  }

  /** Lets `fill` write a vector into the row's place, then makes it a unit vector. What is not a finite, non-zero vector becomes zero. */
  set(row: number, fill: (out: Float32Array, at: number) => void): void {
    if (row >= this.#rows) this.#grow(row + 1);
    const start = this.#rowStart(row) / 4;
    const floats = new Float32Array(this.#memory.buffer);
    floats.fill(0, start, start + this.#width);
    fill(floats, start);
    normalise(floats, start, this.#dimensions);
    const codes = new Int8Array(this.#memory.buffer, this.#codeStart(row), this.#width);
    const { scale, error } = encode(floats.subarray(start, start + this.#width), codes, MAX_CODE);
    this.#scales = grownTo(this.#scales, row + 1, CHUNK_ROWS);
    this.#errors = grownTo(this.#errors, row + 1, CHUNK_ROWS);
    this.#scales[row] = scale;
    this.#errors[row] = error;
  }

  /** The unit form of this is what `bounds` and `dot` are about, until the next call. */
  setQuery(query: Float32Array): void {
    const { buffer } = this.#memory;
    const place = new Float32Array(buffer, 0, this.#width);
    place.set(query);
    normalise(place, 0, this.#dimensions);
    const codes = new Int16Array(buffer, this.#width * 4, this.#width);
    // No sum of products may leave 32 bits.
    const maxCode = Math.min(MAX_QUERY_CODE, Math.floor((2 ** 31 - 1) / (MAX_CODE * this.#width)));
    const { scale, error } = encode(place, codes, maxCode);
    this.#queryScale = scale;
    this.#queryError = error;
  }

  /** For each row of [firstRow, endRow), a number that its dot product with the query does not exceed. */
  bounds(firstRow: number, endRow: number): Float32Array {
    const count = Math.min(endRow, this.#scales.length, this.#rows) - firstRow;
    if (count <= 0) return new Float32Array(0);
    const out = this.#width * 6;
    this.#memory.sums(this.#width * 4, this.#codeStart(firstRow), count, this.#width, out);
    const sums = new Int32Array(this.#memory.buffer, out, count);
    const bounds = new Float32Array(count);
    const slack = this.#queryError + this.#width * FLOAT32_EPSILON;
    for (let at = 0; at < count; at++) {
      const error = this.#errors[firstRow + at];
      bounds[at] = sums[at] * this.#scales[firstRow + at] * this.#queryScale + error + slack * (1 + error);
    }
    return bounds;
  }

  /** The dot product of the query with the row. */
  dot(row: number): number {
    return this.#memory.dot(0, this.#rowStart(row), this.#width * 4);
  }

  #grow(rows: number): void {
    this.#rows = Math.min(CHUNK_ROWS, Math.max(rows, this.#rows * 4));
    this.#memory.grow(this.#rowStart(this.#rows));
  }

  #codeStart(row: number): number {
    return this.#width * 6 + CHUNK_ROWS * 4 + row * this.#width;
  }

  #rowStart(row: number): number {
    return this.#codeStart(CHUNK_ROWS) + row * this.#width * 4;
  }
}

/** Rounds a vector to multiples of `scale`; `error` is the length of what that leaves out. */
function encode(vector: Float32Array, codes: Int8Array | Int16Array, maxCode: number): { scale: number; error: number } {
  const { length } = vector;
  let largest = 0;
  for (let at = 0; at < length; at++) {
    const size = vector[at] < 0 ? -vector[at] : vector[at];
    if (size > largest) largest = size;
  }
  const scale = Math.fround(largest / maxCode);
  if (scale === 0) {
    codes.fill(0);
    return { scale: 0, error: largest * Math.sqrt(length) };
  }
  const inverse = 1 / scale;
  let squares = 0;
  for (let at = 0; at < length; at++) {
    // Truncated towards zero, after half a step away from it: the nearest code, and never one beyond `maxCode`.
    const code = Math.trunc(vector[at] * inverse + (vector[at] < 0 ? -0.5 : 0.5));
    codes[at] = code;
    const left = vector[at] - code * scale;
    squares += left * left;
  }
  return { scale, error: Math.sqrt(squares) };
}

/** Makes a vector in place a unit vector; what is not a finite, non-zero one becomes zero. */
export function normalise(floats: Float32Array, start: number, dimensions: number): void {
  let squares = 0;
  for (let at = start; at < start + dimensions; at++) squares += floats[at] * floats[at];
  const usable = squares > 0 && Number.isFinite(squares);
  const scale = usable ? 1 / Math.sqrt(squares) : 0;
  if (Math.abs(scale - 1) < 1e-7) return;
  if (!usable) floats.fill(0, start, start + dimensions);
  else for (let at = start; at < start + dimensions; at++) floats[at] *= scale;
}
