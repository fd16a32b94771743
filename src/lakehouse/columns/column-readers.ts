import { TailwaterError } from '../../base/index.ts';
import type { ArrowBatch, ArrowData } from './arrow.ts';

/** Random access to one column of a record batch, without Arrow's per-value objects. */
class ColumnReader {
  protected readonly data: ArrowData;
  readonly #bitmap: Uint8Array | null;

  constructor(data: ArrowData) {
    this.data = data;
    this.#bitmap = data.nullCount > 0 ? data.nullBitmap : null;
  }

  isNull(row: number): boolean {
    if (this.#bitmap === null) return false;
    const bit = this.data.offset + row;
    return (this.#bitmap[bit >> 3] & (1 << (bit & 7))) === 0;
  }
}

/** Utf8 and Binary. */
export class BytesReader extends ColumnReader {
  readonly bytes: Uint8Array;
  readonly #offsets: Int32Array;
  readonly #buffer: Buffer;

  constructor(data: ArrowData) {
    super(data);
    this.bytes = data.values;
    this.#offsets = data.valueOffsets;
    this.#buffer = Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  start(row: number): number {
    return this.#offsets[row];
  }

  end(row: number): number {
    return this.#offsets[row + 1];
  }

  text(row: number): string | null {
    return this.isNull(row) ? null : this.#buffer.toString('utf8', this.start(row), this.end(row));
  }

  /** A copy, so that a kept row does not keep its whole batch. */
  copy(row: number): Uint8Array | null {
    return this.isNull(row) ? null : Uint8Array.prototype.slice.call(this.bytes, this.start(row), this.end(row));
  }
}

/** Int64 and timestamps. */
export class Int64Reader extends ColumnReader {
  readonly #words: Int32Array;

  constructor(data: ArrowData) {
    super(data);
    const values: BigInt64Array = data.values;
    this.#words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  }

  /** Exact up to 2^53. */
  number(row: number): number {
    return this.#words[row * 2 + 1] * 0x1_0000_0000 + (this.#words[row * 2] >>> 0);
  }

  digits(row: number): string {
    const value = this.number(row);
    if (Number.isSafeInteger(value)) return String(value);
    return String((BigInt(this.#words[row * 2 + 1]) << 32n) | BigInt(this.#words[row * 2] >>> 0));
  }
}

export class NumberReader extends ColumnReader {
  readonly #values: Float64Array | Float32Array | Int32Array;

  constructor(data: ArrowData) {
    super(data);
    this.#values = data.values;
  }

  number(row: number): number {
    return this.#values[row];
  }
}

export class BoolReader extends ColumnReader {
  readonly #bits: Uint8Array;

  constructor(data: ArrowData) {
    super(data);
    this.#bits = data.values;
  }

  flag(row: number): boolean {
    const bit = this.data.offset + row;
    return (this.#bits[bit >> 3] & (1 << (bit & 7))) !== 0;
  }
}

/** Fixed-size lists of float32. */
export class VectorReader extends ColumnReader {
  readonly #values: Float32Array;
  readonly #dimensions: number;

  constructor(data: ArrowData, dimensions: number) {
    super(data);
    this.#values = data.children[0].values;
    this.#dimensions = dimensions;
  }

  /** A view into the batch. */
  vector(row: number): Float32Array | null {
    if (this.isNull(row)) return null;
    const start = row * this.#dimensions;
    return this.#values.subarray(start, start + this.#dimensions);
  }
}

/** The data of a column; a missing one means that the dataset is not what the table state says. */
export function columnData(batch: ArrowBatch, name: string): ArrowData {
  const vector = batch.getChild(name);
  if (vector === null) throw new TailwaterError('TW_DATA_DAMAGED', { detail: `The table lacks its column ${name}.` });
  return vector.data[0];
}
