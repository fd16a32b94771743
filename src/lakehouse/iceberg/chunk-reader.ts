import type { DuckDBDataChunk } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { type ArrowBatch, type ArrowData, type ArrowField, type ArrowType, arrow } from '../columns/arrow.ts';
import { CHUNK_ROWS, INLINE, SLOT, type Vector } from './duck-columns.ts';
import type { IcebergField, IcebergType } from './iceberg-types.ts';

/**
 * The first columns of DuckDB's chunks as Arrow batches, in buffers that are used again for the next chunk: memory outside of the JavaScript heap that
 * is allocated for each chunk costs more in garbage collection than the copies themselves.
 */
export class ChunkReader {
  readonly #columns: readonly ColumnReader[];
  readonly #fields: readonly ArrowField[];
  readonly #schema: import('apache-arrow').Schema;

  constructor(fields: readonly IcebergField[]) {
    this.#columns = fields.map(field => readerOf(field.type));
    this.#fields = fields.map((field, index) => new arrow.Field(field.name, this.#columns[index].type, true));
    this.#schema = new arrow.Schema([...this.#fields]);
  }

  /** Until the next chunk is read, the batch is what it is. */
  read(chunk: DuckDBDataChunk): ArrowBatch {
    const rows = chunk.rowCount;
    const children = this.#columns.map((column, index) => column.read(duckdb.data_chunk_get_vector(chunk.chunk, index), rows));
    const type = new arrow.Struct([...this.#fields]);
    return new arrow.RecordBatch(this.#schema, arrow.makeData({ type, length: rows, nullCount: 0, children }));
  }
}

/** The values of a BIGINT or UBIGINT column as numbers. */
export function readNumbers(chunk: DuckDBDataChunk, index: number): Float64Array {
  const bytes = new Uint8Array(duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk.chunk, index), chunk.rowCount * 8));
  return Float64Array.from(new BigInt64Array(bytes.buffer), Number);
}

interface ColumnReader {
  readonly type: ArrowType;
  read(vector: Vector, rows: number): ArrowData;
}

function readerOf(type: IcebergType): ColumnReader {
  switch (type) {
    case 'int':
      return new FixedReader(new arrow.Int32(), new Int32Array(CHUNK_ROWS));
    case 'long':
      return new FixedReader(new arrow.Int64(), new BigInt64Array(CHUNK_ROWS));
    case 'timestamptz':
      return new FixedReader(new arrow.TimestampMicrosecond('UTC'), new BigInt64Array(CHUNK_ROWS));
    case 'double':
      return new FixedReader(new arrow.Float64(), new Float64Array(CHUNK_ROWS));
    case 'boolean':
      return new BoolReader();
    default:
      return new TextReader(type === 'string' ? new arrow.Utf8() : new arrow.Binary());
  }
}

class FixedReader implements ColumnReader {
  readonly type: ArrowType;
  readonly #values: Int32Array | BigInt64Array | Float64Array;
  readonly #bytes: Uint8Array;
  readonly #width: number;

  constructor(type: ArrowType, values: Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Float64Array<ArrayBuffer>) {
    this.type = type;
    this.#values = values;
    this.#bytes = new Uint8Array(values.buffer);
    this.#width = values.BYTES_PER_ELEMENT;
  }

  read(vector: Vector, rows: number): ArrowData {
    this.#bytes.set(duckdb.vector_get_data(vector, rows * this.#width));
    const type = this.type as import('apache-arrow').Float64;
    return arrow.makeData({ type, ...validityOf(vector, rows), data: this.#values.subarray(0, rows) as Float64Array });
  }
}

class BoolReader implements ColumnReader {
  readonly type = new arrow.Bool();
  readonly #bits = new Uint8Array(CHUNK_ROWS / 8);

  read(vector: Vector, rows: number): ArrowData {
    const flags = duckdb.vector_get_data(vector, rows);
    this.#bits.fill(0);
    for (let row = 0; row < rows; row++) if (flags[row] !== 0) this.#bits[row >> 3] |= 1 << (row & 7);
    return arrow.makeData({ type: this.type, ...validityOf(vector, rows), data: this.#bits });
  }
}

/** Between texts that are fetched in one piece: less than a page of memory, so that all of it is there. */
const MAX_GAP = 64;
/** Up to so many bytes a loop is quicker than a call. */
const LOOP_BYTES = 64;

/** The texts of a vector: `length:u32 text[12]`, or `length:u32 prefix[4] pointer:u64`. */
class TextReader implements ColumnReader {
  readonly type: ArrowType;
  /** Where each text lies when they are put together; a null has no length. */
  readonly #offsets = new Int32Array(CHUNK_ROWS + 1);
  readonly #known = new Map<number, number>();
  #data = new Uint8Array(CHUNK_ROWS * SLOT);
  #slots = new Uint8Array(0);
  #words = new Uint32Array(0);
  #rows = 0;

  constructor(type: ArrowType) {
    this.type = type;
  }

  read(vector: Vector, rows: number): ArrowData {
    const validity = validityOf(vector, rows);
    this.#rows = rows;
    this.#slots = duckdb.vector_get_data(vector, rows * SLOT) as Uint8Array<ArrayBuffer>;
    this.#words = new Uint32Array(this.#slots.buffer, this.#slots.byteOffset, rows * 4);
    this.#place(validity);
    const bytes = this.#offsets[rows];
    if (bytes > this.#data.length) this.#data = new Uint8Array(Math.max(bytes, this.#data.length * 2));
    this.#copy();
    return arrow.makeData({
      type: this.type as import('apache-arrow').Utf8,
      ...validity,
      valueOffsets: this.#offsets.subarray(0, rows + 1),
      data: this.#data.subarray(0, bytes),
    });
  }

  #place({ nullCount, nullBitmap }: ValidityFacts): void {
    const offsets = this.#offsets;
    const words = this.#words;
    for (let row = 0, at = 0; row < this.#rows; row++) {
      const isNull = nullCount > 0 && (nullBitmap[row >> 3] & (1 << (row & 7))) === 0;
      if (!isNull) at += words[row * 4];
      offsets[row + 1] = at;
    }
  }

  #copy(): void {
    const known = this.#known;
    known.clear();
    for (let row = 0; row < this.#rows; ) {
      const length = this.#lengthOf(row);
      if (length <= INLINE) {
        this.#copyInline(row++);
        continue;
      }
      // A dictionary's texts are pointed to again and again.
      const pointer = this.#pointerOf(row);
      const before = known.get(pointer);
      const to = this.#offsets[row];
      if (before !== undefined) {
        this.#data.copyWithin(to, before, before + length);
        row++;
      } else {
        known.set(pointer, to);
        row = this.#copyRun(row);
      }
    }
  }

  #lengthOf(row: number): number {
    return this.#offsets[row + 1] - this.#offsets[row];
  }

  /** Of a text that is not inline; addresses have 48 bits. */
  #pointerOf(row: number): number {
    return this.#words[row * 4 + 3] * 0x1_0000_0000 + this.#words[row * 4 + 2];
  }

  #copyInline(row: number): void {
    const to = this.#offsets[row];
    const from = row * SLOT + 4;
    for (let byte = this.#lengthOf(row) - 1; byte >= 0; byte--) this.#data[to + byte] = this.#slots[from + byte];
  }

  /** Copies this text and those behind it that lie behind it in memory too, as a page of Parquet has them. Returns the row after them. */
  #copyRun(first: number): number {
    const start = this.#pointerOf(first);
    let end = start;
    let next = first;
    for (; next < this.#rows; next++) {
      const length = this.#lengthOf(next);
      if (length <= INLINE) continue;
      const pointer = this.#pointerOf(next);
      if (pointer < end || pointer - end > MAX_GAP) break;
      end = pointer + length;
    }
    const buffer = this.#slots.buffer as ArrayBuffer;
    const block = duckdb.get_data_from_pointer(buffer, this.#slots.byteOffset + first * SLOT + 8, end - start);
    const data = this.#data;
    for (let row = first; row < next; row++) {
      const length = this.#lengthOf(row);
      if (length <= INLINE) this.#copyInline(row);
      else {
        const from = this.#pointerOf(row) - start;
        const to = this.#offsets[row];
        if (length > LOOP_BYTES) data.set(block.subarray(from, from + length), to);
        else for (let byte = 0; byte < length; byte++) data[to + byte] = block[from + byte];
      }
    }
    return next;
  }
}

interface ValidityFacts {
  length: number;
  nullCount: number;
  nullBitmap: Uint8Array;
}

const NO_NULLS = new Uint8Array(0);

function validityOf(vector: Vector, rows: number): ValidityFacts {
  const words = duckdb.vector_get_validity(vector, Math.ceil(rows / 64) * 8);
  if (words == null) return { length: rows, nullCount: 0, nullBitmap: NO_NULLS };
  const nullBitmap = new Uint8Array(words);
  let nullCount = 0;
  for (let row = 0; row < rows; row++) if ((nullBitmap[row >> 3] & (1 << (row & 7))) === 0) nullCount++;
  return { length: rows, nullCount, nullBitmap };
}
