import { type ArrowData, type ArrowType, arrow } from './arrow.ts';

/**
 * Column builders for a known number of rows: each writes straight into Arrow's buffers. A row that is never set is null. Rows are set
 * in rising order; setting the newest row again is not allowed, except after `clear`.
 */
export interface ColumnBuilder {
  clear(row: number): void;
  finish(type: ArrowType): ArrowData;
}

class Validity {
  readonly bitmap: Uint8Array<ArrayBuffer>;
  readonly rows: number;
  valid = 0;

  constructor(rows: number) {
    this.rows = rows;
    this.bitmap = new Uint8Array(((rows + 63) >> 6) << 3);
  }

  set(row: number): void {
    this.bitmap[row >> 3] |= 1 << (row & 7);
    this.valid++;
  }

  clear(row: number): void {
    if ((this.bitmap[row >> 3] & (1 << (row & 7))) === 0) return;
    this.bitmap[row >> 3] &= ~(1 << (row & 7));
    this.valid--;
  }

  facts(): { length: number; nullCount: number; nullBitmap: Uint8Array<ArrayBuffer> } {
    return { length: this.rows, nullCount: this.rows - this.valid, nullBitmap: this.bitmap };
  }
}

/** Utf8 and Binary columns. */
export class BytesBuilder implements ColumnBuilder {
  readonly #validity: Validity;
  readonly #offsets: Int32Array<ArrayBuffer>;
  #bytes: Buffer<ArrayBuffer>;
  #length = 0;
  #filled = 0;

  constructor(rows: number, bytesPerRow: number) {
    this.#validity = new Validity(rows);
    this.#offsets = new Int32Array(rows + 1);
    this.#bytes = Buffer.from(new ArrayBuffer(Math.max(64, rows * bytesPerRow)));
  }

  set(row: number, source: Uint8Array, start: number, end: number): void {
    this.#begin(row);
    const length = end - start;
    this.#reserve(length);
    if (length < 64) {
      const bytes = this.#bytes;
      for (let from = start, to = this.#length; from < end; from++, to++) bytes[to] = source[from];
    } else {
      this.#bytes.set(source.subarray(start, end), this.#length);
    }
    this.#length += length;
  }

  setText(row: number, text: string): void {
    this.#begin(row);
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
  }

  clear(row: number): void {
    if (this.#filled !== row + 1) return;
    this.#length = this.#offsets[row];
    this.#filled = row;
    this.#validity.clear(row);
  }

  finish(type: ArrowType): ArrowData {
    this.#begin(this.#validity.rows, false);
    return arrow.makeData({
      type: type as import('apache-arrow').Utf8,
      ...this.#validity.facts(),
      valueOffsets: this.#offsets,
      data: this.#bytes.subarray(0, this.#length),
    });
  }

  /** Rows passed over are null: their offsets are those of the row about to be written. */
  #begin(row: number, present = true): void {
    for (let skipped = this.#filled; skipped <= row; skipped++) this.#offsets[skipped] = this.#length;
    this.#filled = row + 1;
    if (present) this.#validity.set(row);
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const larger = Buffer.from(new ArrayBuffer(Math.max(this.#bytes.length * 2, this.#length + extra)));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Int64 and timestamp columns, from safe integers or bigints. */
export class Int64Builder implements ColumnBuilder {
  readonly #validity: Validity;
  readonly #words: Int32Array<ArrayBuffer>;

  constructor(rows: number) {
    this.#validity = new Validity(rows);
    this.#words = new Int32Array(rows * 2);
  }

  set(row: number, value: number): void {
    this.#words[row * 2] = value;
    this.#words[row * 2 + 1] = Math.floor(value / 0x1_0000_0000);
    this.#validity.set(row);
  }

  setBig(row: number, value: bigint): void {
    this.#words[row * 2] = Number(BigInt.asIntN(32, value));
    this.#words[row * 2 + 1] = Number(BigInt.asIntN(32, value >> 32n));
    this.#validity.set(row);
  }

  clear(row: number): void {
    this.#validity.clear(row);
  }

  finish(type: ArrowType): ArrowData {
    const data = new BigInt64Array(this.#words.buffer);
    return arrow.makeData({ type: type as import('apache-arrow').Int64, ...this.#validity.facts(), data });
  }
}

export class NumberBuilder implements ColumnBuilder {
  readonly #validity: Validity;
  readonly #values: Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

  constructor(values: Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>) {
    this.#validity = new Validity(values.length);
    this.#values = values;
  }

  set(row: number, value: number): void {
    this.#values[row] = value;
    this.#validity.set(row);
  }

  clear(row: number): void {
    this.#validity.clear(row);
  }

  finish(type: ArrowType): ArrowData {
    return arrow.makeData({ type: type as import('apache-arrow').Float64, ...this.#validity.facts(), data: this.#values });
  }
}

export class BoolBuilder implements ColumnBuilder {
  readonly #validity: Validity;
  readonly #bits: Uint8Array<ArrayBuffer>;

  constructor(rows: number) {
    this.#validity = new Validity(rows);
    this.#bits = new Uint8Array(this.#validity.bitmap.length);
  }

  /** Whether every row is null. */
  get isEmpty(): boolean {
    return this.#validity.valid === 0;
  }

  set(row: number, value: boolean): void {
    if (value) this.#bits[row >> 3] |= 1 << (row & 7);
    this.#validity.set(row);
  }

  clear(row: number): void {
    this.#bits[row >> 3] &= ~(1 << (row & 7));
    this.#validity.clear(row);
  }

  finish(type: ArrowType): ArrowData {
    return arrow.makeData({ type: type as import('apache-arrow').Bool, ...this.#validity.facts(), data: this.#bits });
  }
}

/** A fixed-size list of float32 per row. */
export class VectorBuilder implements ColumnBuilder {
  readonly #validity: Validity;
  readonly #values: Float32Array<ArrayBuffer>;
  readonly #dimensions: number;

  constructor(rows: number, dimensions: number) {
    this.#validity = new Validity(rows);
    this.#dimensions = dimensions;
    this.#values = new Float32Array(rows * dimensions);
  }

  set(row: number, source: Float32Array, at: number): void {
    this.#values.set(source.subarray(at, at + this.#dimensions), row * this.#dimensions);
    this.#validity.set(row);
  }

  clear(row: number): void {
    this.#validity.clear(row);
  }

  finish(type: ArrowType): ArrowData {
    const list = type as import('apache-arrow').FixedSizeList;
    const child = arrow.makeData({ type: new arrow.Float32(), length: this.#values.length, nullCount: 0, data: this.#values });
    return arrow.makeData({ type: list, ...this.#validity.facts(), child });
  }
}
