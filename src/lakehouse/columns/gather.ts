import { type ArrowData, type ArrowType, arrow } from './arrow.ts';

/** Rows to take of a batch: these positions, or all of them. */
export type Selection = Uint32Array | null;

/**
 * Collects rows of many batches into one column: ranges and picked rows are copied buffer to buffer, without a JavaScript value per cell.
 * Takes at most the rows it was made for. One class per width of value; nulls cost a bitmap only once there is one.
 */
export interface ColumnGatherer {
  /** Rows taken so far. */
  readonly rows: number;
  /** Bytes of the values taken so far. */
  readonly bytes: number;
  /** Rows [start, end) of the selection, or of the data when there is none. */
  take(data: ArrowData, selection: Selection, start: number, end: number): void;
  finish(): ArrowData;
}

/** `bytes`: how many the values may take; more are taken as well. */
export function columnGatherer(type: ArrowType, maxRows: number, bytes = maxRows * 16): ColumnGatherer {
  if (arrow.DataType.isBool(type)) return new BoolGatherer(type, maxRows);
  if (arrow.DataType.isUtf8(type) || arrow.DataType.isBinary(type)) return new BytesGatherer(type, maxRows, bytes);
  if (arrow.DataType.isFixedSizeList(type)) return new VectorGatherer(type, maxRows);
  const words = arrow.DataType.isInt(type) && type.bitWidth === 32 ? 1 : 2;
  return new WordsGatherer(type, maxRows, words);
}

/** Which rows are null; a bitmap is made for the first one. */
class Nulls {
  readonly #maxRows: number;
  #bitmap: Uint8Array<ArrayBuffer> | null = null;
  #count = 0;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  /** Calls `clear` for each null: what lies below it must not depend on where the row came from. */
  take(data: ArrowData, selection: Selection, start: number, end: number, at: number, clear: (row: number) => void): void {
    const source = data.nullCount > 0 ? data.nullBitmap : null;
    if (source === null && this.#bitmap === null) return;
    this.#bitmap ??= ones(this.#maxRows, at);
    const bitmap = this.#bitmap;
    for (let index = start, row = at; index < end; index++, row++) {
      const bit = data.offset + (selection === null ? index : selection[index]);
      if (source === null || (source[bit >> 3] & (1 << (bit & 7))) !== 0) bitmap[row >> 3] |= 1 << (row & 7);
      else {
        this.#count++;
        clear(row);
      }
    }
  }

  facts(rows: number): { length: number; nullCount: number; nullBitmap?: Uint8Array<ArrayBuffer> } {
    const bitmap = this.#bitmap;
    return { length: rows, nullCount: this.#count, ...(bitmap === null ? {} : { nullBitmap: bitmap }) };
  }
}

/** A bitmap whose first `rows` bits are set. */
function ones(maxRows: number, rows: number): Uint8Array<ArrayBuffer> {
  const bitmap = new Uint8Array(((maxRows + 63) >> 6) << 3);
  bitmap.fill(0xff, 0, rows >> 3);
  if ((rows & 7) !== 0) bitmap[rows >> 3] = (1 << (rows & 7)) - 1;
  return bitmap;
}

abstract class Gatherer implements ColumnGatherer {
  readonly type: ArrowType;
  readonly #nulls: Nulls;
  readonly #clear = (row: number): void => this.clear(row);
  rows = 0;

  constructor(type: ArrowType, maxRows: number) {
    this.type = type;
    this.#nulls = new Nulls(maxRows);
  }

  abstract readonly bytes: number;
  protected abstract takeValues(data: ArrowData, selection: Selection, start: number, end: number): void;
  protected abstract clear(row: number): void;
  protected abstract values(): object;

  take(data: ArrowData, selection: Selection, start: number, end: number): void {
    this.takeValues(data, selection, start, end);
    this.#nulls.take(data, selection, start, end, this.rows, this.#clear);
    this.rows += end - start;
  }

  finish(): ArrowData {
    const type = this.type as import('apache-arrow').Float64;
    return arrow.makeData({ type, ...this.#nulls.facts(this.rows), ...this.values() });
  }
}

/** Int32, Int64, Float64 and timestamps, as 32-bit words: a copy through numbers would change the bits of some NaNs. */
class WordsGatherer extends Gatherer {
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #width: number;

  constructor(type: ArrowType, maxRows: number, width: number) {
    super(type, maxRows);
    this.#width = width;
    this.#words = new Int32Array(maxRows * width);
  }

  get bytes(): number {
    return this.rows * this.#width * 4;
  }

  protected takeValues(data: ArrowData, selection: Selection, start: number, end: number): void {
    const { buffer, byteOffset, byteLength } = data.values as Float64Array;
    const source = new Int32Array(buffer, byteOffset, byteLength >> 2);
    const width = this.#width;
    const words = this.#words;
    let to = this.rows * width;
    if (selection === null) {
      words.set(source.subarray(start * width, end * width), to);
    } else if (width === 1) {
      for (let index = start; index < end; index++) words[to++] = source[selection[index]];
    } else {
      for (let index = start; index < end; index++, to += 2) {
        const from = selection[index] * 2;
        words[to] = source[from];
        words[to + 1] = source[from + 1];
      }
    }
  }

  protected clear(row: number): void {
    this.#words.fill(0, row * this.#width, (row + 1) * this.#width);
  }

  protected values(): object {
    const words = this.#words.buffer;
    if (this.#width === 1) return { data: this.#words.subarray(0, this.rows) };
    return {
      data: arrow.DataType.isFloat(this.type) ? new Float64Array(words, 0, this.rows) : new BigInt64Array(words, 0, this.rows),
    };
  }
}

class BoolGatherer extends Gatherer {
  readonly #bits: Uint8Array<ArrayBuffer>;

  constructor(type: ArrowType, maxRows: number) {
    super(type, maxRows);
    this.#bits = new Uint8Array(((maxRows + 63) >> 6) << 3);
  }

  get bytes(): number {
    return this.rows >> 3;
  }

  protected takeValues(data: ArrowData, selection: Selection, start: number, end: number): void {
    const source: Uint8Array = data.values;
    for (let index = start, row = this.rows; index < end; index++, row++) {
      const bit = data.offset + (selection === null ? index : selection[index]);
      if ((source[bit >> 3] & (1 << (bit & 7))) !== 0) this.#bits[row >> 3] |= 1 << (row & 7);
    }
  }

  protected clear(row: number): void {
    this.#bits[row >> 3] &= ~(1 << (row & 7));
  }

  protected values(): object {
    return { data: this.#bits };
  }
}

/** Utf8 and Binary. */
class BytesGatherer extends Gatherer {
  readonly #offsets: Int32Array<ArrayBuffer>;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(type: ArrowType, maxRows: number, bytes: number) {
    super(type, maxRows);
    this.#offsets = new Int32Array(maxRows + 1);
    this.#bytes = new Uint8Array(Math.max(64, bytes));
  }

  get bytes(): number {
    return this.#length;
  }

  protected takeValues(data: ArrowData, selection: Selection, start: number, end: number): void {
    const offsets: Int32Array = data.valueOffsets;
    const present = data.nullCount > 0 ? data.nullBitmap : null;
    if (selection === null && present === null) this.#takeRange(data.values, offsets, start, end);
    else {
      for (let index = start, row = this.rows; index < end; index++, row++) {
        const at = selection === null ? index : selection[index];
        const bit = data.offset + at;
        // LanceDB may leave bytes below a null.
        const isNull = present !== null && (present[bit >> 3] & (1 << (bit & 7))) === 0;
        if (!isNull) this.#copy(data.values, offsets[at], offsets[at + 1]);
        this.#offsets[row + 1] = this.#length;
      }
    }
  }

  #takeRange(source: Uint8Array, offsets: Int32Array, start: number, end: number): void {
    const shift = this.#length - offsets[start];
    for (let index = start, row = this.rows + 1; index < end; index++, row++) this.#offsets[row] = offsets[index + 1] + shift;
    this.#copy(source, offsets[start], offsets[end]);
  }

  #copy(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#length + length > this.#bytes.length) this.#grow(length);
    if (length < 32) for (let from = start, to = this.#length; from < end; from++, to++) this.#bytes[to] = source[from];
    else this.#bytes.set(source.subarray(start, end), this.#length);
    this.#length += length;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  /** Nothing was put there. */
  protected clear(): void {}

  protected values(): object {
    return { valueOffsets: this.#offsets.subarray(0, this.rows + 1), data: this.#bytes.subarray(0, this.#length) };
  }
}

/** Fixed-size lists of float32. */
class VectorGatherer extends Gatherer {
  readonly #dimensions: number;
  readonly #values: Float32Array<ArrayBuffer>;

  constructor(type: ArrowType, maxRows: number) {
    super(type, maxRows);
    this.#dimensions = (type as import('apache-arrow').FixedSizeList).listSize;
    this.#values = new Float32Array(maxRows * this.#dimensions);
  }

  get bytes(): number {
    return this.rows * this.#dimensions * 4;
  }

  protected takeValues(data: ArrowData, selection: Selection, start: number, end: number): void {
    const source: Float32Array = data.children[0].values;
    const width = this.#dimensions;
    if (selection === null) {
      this.#values.set(source.subarray(start * width, end * width), this.rows * width);
      return;
    }
    for (let index = start, row = this.rows; index < end; index++, row++) {
      const from = selection[index] * width;
      this.#values.set(source.subarray(from, from + width), row * width);
    }
  }

  protected clear(row: number): void {
    this.#values.fill(0, row * this.#dimensions, (row + 1) * this.#dimensions);
  }

  protected values(): object {
    const length = this.rows * this.#dimensions;
    const data = this.#values.subarray(0, length);
    return { child: arrow.makeData({ type: new arrow.Float32(), length, nullCount: 0, data }) };
  }
}
