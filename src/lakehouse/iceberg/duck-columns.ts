import {
  ARRAY,
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  type DuckDBType,
  FLOAT,
  INTEGER,
  TIMESTAMPTZ,
  VARCHAR,
} from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import type { ArrowBatch, ArrowData } from '../columns/arrow.ts';
import type { IcebergField, IcebergType } from './iceberg-types.ts';

/**
 * Columns from Arrow's buffers into DuckDB's vectors, without an object per value. A DuckDB text or blob is 16 bytes: its length, and then
 * itself when it has up to 12 bytes, else a prefix and a pointer.
 */
export const CHUNK_ROWS = 2048;
export const SLOT = 16;
export const INLINE = 12;

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
  const columns = fields.map(({ name, type }) => ({ type, data: batch.getChild(name)?.data[0] ?? null }));
  const chunk = chunkOf(columns, start, count, groups === null ? [] : [INTEGER]);
  if (groups !== null) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, fields.length);
    duckdb.copy_data_to_vector(vector, 0, groups.buffer as ArrayBuffer, groups.byteOffset + start * 4, count * 4);
  }
  return chunk;
}

/** A column of a chunk; null: nulls throughout. */
export interface ChunkColumn {
  /** Or an array of so many floats of 32 bits. */
  type: IcebergType | { floats: number };
  data: ArrowData | null;
}

/** Rows [start, start + count) of columns as a chunk, `start` a multiple of eight. `more`: types of columns behind them, which are the caller's to fill. */
export function chunkOf(
  columns: readonly ChunkColumn[],
  start: number,
  count: number,
  more: readonly DuckDBType[] = [],
): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create([...columns.map(({ type }) => duckType(type)), ...more], count);
  for (const [index, { type, data }] of columns.entries()) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, index);
    if (data === null) writeNulls(vector, new Uint8Array(CHUNK_ROWS / 8), 0, count);
    else if (typeof type === 'object') writeFloats(vector, type.floats, data, start, count);
    else writeColumn(vector, type, data, start, count);
  }
  return chunk;
}

function duckType(type: ChunkColumn['type']): DuckDBType {
  return typeof type === 'object' ? ARRAY(FLOAT, type.floats) : DUCK_TYPES[type];
}

function writeFloats(vector: Vector, width: number, data: ArrowData, start: number, count: number): void {
  if (data.nullCount > 0) writeNulls(vector, data.nullBitmap, start, count);
  const { buffer, byteOffset } = data.children[0].values as Float32Array<ArrayBuffer>;
  const bytes = width * Float32Array.BYTES_PER_ELEMENT;
  duckdb.copy_data_to_vector(duckdb.array_vector_get_child(vector), 0, buffer, byteOffset + start * bytes, count * bytes);
}

export type Vector = Parameters<typeof duckdb.vector_get_data>[0];

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
