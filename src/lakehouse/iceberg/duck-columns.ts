import { BIGINT, BLOB, BOOLEAN, DOUBLE, DuckDBDataChunk, type DuckDBType, INTEGER, TIMESTAMPTZ, VARCHAR } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { type ArrowBatch, type ArrowData, type ArrowType, arrow } from '../columns/arrow.ts';
import type { IcebergField, IcebergType } from './iceberg-types.ts';

/**
 * Columns between Arrow's buffers and DuckDB's vectors, without an object per value. A DuckDB text or blob is 16 bytes: its length, and then
 * itself when it has up to 12 bytes, else a prefix and a pointer.
 */
export const CHUNK_ROWS = 2048;

const SLOT = 16;
const INLINE = 12;

const DUCK_TYPES: Readonly<Record<IcebergType, DuckDBType>> = {
  int: INTEGER,
  long: BIGINT,
  double: DOUBLE,
  boolean: BOOLEAN,
  string: VARCHAR,
  binary: BLOB,
  timestamptz: TIMESTAMPTZ,
};

const WIDTHS: Readonly<Record<'int' | 'long' | 'double' | 'timestamptz', number>> = {
  int: 4,
  long: 8,
  double: 8,
  timestamptz: 8,
};

/** Rows [start, start + count) of a batch as a chunk; `groups` becomes a last column of integers. A column that the batch lacks is null. */
export function toChunk(
  fields: readonly IcebergField[],
  batch: ArrowBatch,
  start: number,
  count: number,
  groups: Int32Array | null,
): DuckDBDataChunk {
  const types = fields.map(field => DUCK_TYPES[field.type]);
  const chunk = DuckDBDataChunk.create(groups === null ? types : [...types, INTEGER], count);
  for (const [index, field] of fields.entries()) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, index);
    const data = batch.getChild(field.name)?.data[0];
    if (data === undefined) writeNulls(vector, new Uint8Array(CHUNK_ROWS / 8), 0, count);
    else writeColumn(vector, field.type, data, start, count);
  }
  if (groups !== null) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, fields.length);
    duckdb.copy_data_to_vector(vector, 0, groups.buffer as ArrayBuffer, groups.byteOffset + start * 4, count * 4);
  }
  return chunk;
}

type Vector = Parameters<typeof duckdb.vector_get_data>[0];

function writeNulls(vector: Vector, bitmap: Uint8Array, start: number, count: number): void {
  duckdb.vector_ensure_validity_writable(vector);
  const bytes = Math.min(Math.ceil(count / 64) * 8, bitmap.length - (start >> 3));
  duckdb.copy_data_to_vector_validity(vector, 0, bitmap.buffer as ArrayBuffer, bitmap.byteOffset + (start >> 3), bytes);
}

function writeColumn(vector: Vector, type: IcebergType, data: ArrowData, start: number, count: number): void {
  if (data.nullCount > 0) writeNulls(vector, data.nullBitmap, start, count);
  if (data.nullCount === data.length) return;
  if (type === 'string' || type === 'binary') writeBytes(vector, data, start, count);
  else if (type === 'boolean') {
    const flags = new Uint8Array(count);
    for (let at = 0; at < count; at++) flags[at] = (data.values[(start + at) >> 3] >> ((start + at) & 7)) & 1;
    duckdb.copy_data_to_vector(vector, 0, flags.buffer, 0, count);
  } else {
    const width = WIDTHS[type];
    duckdb.copy_data_to_vector(vector, 0, data.values.buffer, data.values.byteOffset + start * width, count * width);
  }
}

function writeBytes(vector: Vector, data: ArrowData, start: number, count: number): void {
  const offsets: Int32Array = data.valueOffsets;
  const bytes: Uint8Array = data.values;
  const slots = new Uint8Array(count * SLOT);
  const lengths = new Uint32Array(slots.buffer);
  for (let at = 0; at < count; at++) {
    const from = offsets[start + at];
    const length = offsets[start + at + 1] - from;
    if (length > INLINE) continue;
    lengths[at * 4] = length;
    for (let byte = 0, to = at * SLOT + 4; byte < length; byte++, to++) slots[to] = bytes[from + byte];
  }
  duckdb.copy_data_to_vector(vector, 0, slots.buffer, 0, slots.length);
  for (let at = 0; at < count; at++) {
    const from = offsets[start + at];
    const to = offsets[start + at + 1];
    if (to - from > INLINE) duckdb.vector_assign_string_element_len(vector, at, bytes.subarray(from, to));
  }
}

/** The first columns of a chunk as an Arrow batch of its own memory. */
export function toBatch(fields: readonly IcebergField[], chunk: DuckDBDataChunk): ArrowBatch {
  const rows = chunk.rowCount;
  const children = fields.map((field, index) => readColumn(duckdb.data_chunk_get_vector(chunk.chunk, index), field.type, rows));
  const schema = new arrow.Schema(fields.map((field, index) => new arrow.Field(field.name, children[index].type, true)));
  const struct = arrow.makeData({ type: new arrow.Struct(schema.fields), length: rows, nullCount: 0, children });
  return new arrow.RecordBatch(schema, struct);
}

/** The values of a BIGINT or UBIGINT column as numbers. */
export function readNumbers(chunk: DuckDBDataChunk, index: number): Float64Array {
  const rows = chunk.rowCount;
  const words = copied(duckdb.data_chunk_get_vector(chunk.chunk, index), rows * 8);
  const values = new BigInt64Array(words.buffer);
  return Float64Array.from(values, Number);
}

function readColumn(vector: Vector, type: IcebergType, rows: number): ArrowData {
  const validity = validityOf(vector, rows);
  switch (type) {
    case 'int':
      return arrow.makeData({ type: new arrow.Int32(), ...validity, data: new Int32Array(copied(vector, rows * 4).buffer) });
    case 'long':
      return arrow.makeData({ type: new arrow.Int64(), ...validity, data: new BigInt64Array(copied(vector, rows * 8).buffer) });
    case 'timestamptz': {
      const data = new BigInt64Array(copied(vector, rows * 8).buffer);
      return arrow.makeData({ type: new arrow.TimestampMicrosecond('UTC'), ...validity, data });
    }
    case 'double':
      return arrow.makeData({ type: new arrow.Float64(), ...validity, data: new Float64Array(copied(vector, rows * 8).buffer) });
    case 'boolean':
      return arrow.makeData({ type: new arrow.Bool(), ...validity, data: packed(copied(vector, rows)) });
    default:
      return readBytes(vector, type === 'string' ? new arrow.Utf8() : new arrow.Binary(), rows, validity);
  }
}

interface ValidityFacts {
  length: number;
  nullCount: number;
  nullBitmap: Uint8Array;
}

function validityOf(vector: Vector, rows: number): ValidityFacts {
  const words = duckdb.vector_get_validity(vector, Math.ceil(rows / 64) * 8);
  if (words == null) return { length: rows, nullCount: 0, nullBitmap: new Uint8Array(0) };
  const nullBitmap = new Uint8Array(words);
  let nullCount = 0;
  for (let row = 0; row < rows; row++) if ((nullBitmap[row >> 3] & (1 << (row & 7))) === 0) nullCount++;
  return { length: rows, nullCount, nullBitmap };
}

function readBytes(vector: Vector, type: ArrowType, rows: number, validity: ValidityFacts): ArrowData {
  const slots = new TextSlots(duckdb.vector_get_data(vector, rows * SLOT), rows, validity);
  const data = new Uint8Array(slots.offsets[rows]);
  const known = new Map<number, number>();
  for (let row = 0; row < rows; ) {
    const length = slots.lengthOf(row);
    if (length <= INLINE) {
      slots.copyInline(row++, data);
      continue;
    }
    // A dictionary's texts are pointed to again and again.
    const pointer = slots.pointerOf(row);
    const before = known.get(pointer);
    const to = slots.offsets[row];
    if (before !== undefined) {
      data.copyWithin(to, before, before + length);
      row++;
    } else {
      known.set(pointer, to);
      row = slots.copyRun(row, data);
    }
  }
  return arrow.makeData({ type: type as import('apache-arrow').Utf8, ...validity, valueOffsets: slots.offsets, data });
}

/** Between texts that are fetched in one piece: less than a page of memory, so that all of it is there. */
const MAX_GAP = 64;

/** The texts of a vector: `length:u32 text[12]`, or `length:u32 prefix[4] pointer:u64`. */
class TextSlots {
  /** Where each text lies when they are put together; a null has no length. */
  readonly offsets: Int32Array<ArrayBuffer>;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #rows: number;

  constructor(bytes: Uint8Array, rows: number, { nullCount, nullBitmap }: ValidityFacts) {
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, rows * 4);
    this.#rows = rows;
    this.offsets = new Int32Array(rows + 1);
    for (let row = 0; row < rows; row++) {
      const isNull = nullCount > 0 && (nullBitmap[row >> 3] & (1 << (row & 7))) === 0;
      this.offsets[row + 1] = this.offsets[row] + (isNull ? 0 : this.#words[row * 4]);
    }
  }

  lengthOf(row: number): number {
    return this.offsets[row + 1] - this.offsets[row];
  }

  /** Of a text that is not inline; addresses have 48 bits. */
  pointerOf(row: number): number {
    return this.#words[row * 4 + 3] * 0x1_0000_0000 + this.#words[row * 4 + 2];
  }

  copyInline(row: number, data: Uint8Array): void {
    const to = this.offsets[row];
    const from = row * SLOT + 4;
    for (let byte = this.lengthOf(row) - 1; byte >= 0; byte--) data[to + byte] = this.#bytes[from + byte];
  }

  /** Copies this text and those behind it that lie behind it in memory too, as a page of Parquet has them. Returns the row after them. */
  copyRun(first: number, data: Uint8Array): number {
    const start = this.pointerOf(first);
    let end = start;
    let next = first;
    for (; next < this.#rows; next++) {
      const length = this.lengthOf(next);
      if (length <= INLINE) continue;
      const pointer = this.pointerOf(next);
      if (pointer < end || pointer - end > MAX_GAP) break;
      end = pointer + length;
    }
    const buffer = this.#bytes.buffer as ArrayBuffer;
    const block = duckdb.get_data_from_pointer(buffer, this.#bytes.byteOffset + first * SLOT + 8, end - start);
    for (let row = first; row < next; row++) {
      const length = this.lengthOf(row);
      if (length <= INLINE) this.copyInline(row, data);
      else {
        const from = this.pointerOf(row) - start;
        data.set(block.subarray(from, from + length), this.offsets[row]);
      }
    }
    return next;
  }
}

function copied(vector: Vector, bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(duckdb.vector_get_data(vector, bytes));
}

function packed(flags: Uint8Array): Uint8Array {
  const bits = new Uint8Array((flags.length + 7) >> 3);
  for (let row = 0; row < flags.length; row++) if (flags[row] !== 0) bits[row >> 3] |= 1 << (row & 7);
  return bits;
}
