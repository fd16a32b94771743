import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  type DuckDBAppender,
  DuckDBBigIntVector,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBVector,
  INTEGER,
  TIMESTAMPTZ,
  VARCHAR,
} from '@duckdb/node-api';
import { type ArrowData, type ArrowField, arrow, BoolReader, BytesReader } from '../../lakehouse/index.ts';
import type { ScanBatch } from '../scan/scan-types.ts';

/** DuckDB's vectors have this many rows; a batch of a scan is a whole number of them, but for its last part. */
const VECTOR_ROWS = 2_048;
/** A VARCHAR up to this long lies in its 16 bytes of the vector: length, then text. */
const INLINE_BYTES = 12;

/** What a column of a scan is called in DuckDB. Columns of JSON have its alias, so that `->` and `->>` apply. */
export function columnSql(field: ArrowField, isJson: boolean): string {
  return isJson ? 'JSON' : String(typeOf(field));
}

function typeOf({ type }: ArrowField): DuckDBType {
  if (arrow.DataType.isTimestamp(type)) return TIMESTAMPTZ;
  if (arrow.DataType.isUtf8(type)) return VARCHAR;
  if (arrow.DataType.isBinary(type)) return BLOB;
  if (arrow.DataType.isBool(type)) return BOOLEAN;
  if (arrow.DataType.isFloat(type)) return DOUBLE;
  return arrow.DataType.isInt(type) && type.bitWidth === 32 ? INTEGER : BIGINT;
}

/** What the vectors of DuckDB's library are made of; their own setters convert and check every value. */
interface RawVector {
  items: { set(values: ArrayLike<unknown>): void };
  validity: { data: BigUint64Array | null; setItemValid(row: number, valid: boolean): void };
  vector: unknown;
  setItem(row: number, value: unknown): void;
  flush(): void;
}

/** Appends a batch, whose columns are in the order of the table's. */
export function appendBatch(appender: DuckDBAppender, fields: readonly ArrowField[], batch: ScanBatch): void {
  const types = fields.map(typeOf);
  for (let start = 0; start < batch.rows; start += VECTOR_ROWS) {
    const rows = Math.min(VECTOR_ROWS, batch.rows - start);
    const chunk = DuckDBDataChunk.create(types, rows);
    for (const [index, field] of fields.entries()) fill(chunk.getColumnVector(index), field, batch.columns[index], start, rows);
    appender.appendDataChunk(chunk);
  }
}

function fill(target: DuckDBVector, field: ArrowField, data: ArrowData, start: number, rows: number): void {
  const vector = target as unknown as RawVector;
  const { type } = field;
  if (data.nullCount > 0) setNulls(vector, data.nullBitmap!, start, rows);
  if (arrow.DataType.isUtf8(type)) {
    fillTexts(vector, data, start, rows);
    return;
  }
  if (arrow.DataType.isBool(type)) fillBools(vector, data, start, rows);
  else if (arrow.DataType.isBinary(type)) fillBytes(vector, data, start, rows);
  else vector.items.set(data.values.subarray(start, start + rows));
  vector.flush();
}

/** Both have a bit a row, the lowest first, and 1 is a value; vectors begin at whole bytes. */
function setNulls({ validity }: RawVector, bitmap: Uint8Array, start: number, rows: number): void {
  validity.setItemValid(0, false);
  const { buffer, byteOffset } = validity.data!;
  new Uint8Array(buffer, byteOffset, (rows + 7) >> 3).set(bitmap.subarray(start >> 3, (start + rows + 7) >> 3));
}

function fillBools(vector: RawVector, data: ArrowData, start: number, rows: number): void {
  const flags = new BoolReader(data);
  for (let row = 0; row < rows; row++) if (!flags.isNull(start + row)) vector.setItem(row, flags.flag(start + row));
}

function fillBytes(vector: RawVector, data: ArrowData, start: number, rows: number): void {
  const bytes = new BytesReader(data);
  for (let row = 0; row < rows; row++) {
    const value = bytes.copy(start + row);
    if (value !== null) vector.setItem(row, { bytes: value });
  }
}

/** Short texts are laid out here and copied as one block; only long ones cost a call each. */
function fillTexts(vector: RawVector, data: ArrowData, start: number, rows: number): void {
  const texts = new BytesReader(data);
  const words = new BigInt64Array(rows * 2);
  const block = Buffer.from(words.buffer);
  const long: number[] = [];
  for (let row = 0; row < rows; row++) {
    if (texts.isNull(start + row)) continue;
    const from = texts.start(start + row);
    const length = texts.end(start + row) - from;
    if (length > INLINE_BYTES) {
      long.push(row);
      continue;
    }
    const at = row * 16;
    block[at] = length;
    for (let byte = 0; byte < length; byte++) block[at + 4 + byte] = texts.bytes[from + byte];
  }
  const { validity, vector: raw } = vector as unknown as { validity: never; vector: never };
  new DuckDBBigIntVector(words, validity, raw).flush();
  if (long.length === 0) return;
  for (const row of long) vector.setItem(row, texts.text(start + row));
  vector.flush();
}
