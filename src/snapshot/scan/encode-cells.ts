import { isAscii } from 'node:buffer';
import {
  type ArrowData,
  type ArrowField,
  arrow,
  BoolReader,
  BytesReader,
  Int64Reader,
  NumberReader,
  VectorReader,
} from '../../lakehouse/index.ts';

/** The JSON text of a cell, or null for SQL's NULL. */
export type CellEncoder = (row: number) => string | null;

/**
 * How a column's cells are written as JSON: integers with all their digits, timestamps as ISO 8601 with microseconds, bytes as base64, a json
 * column as the JSON it holds.
 */
export function cellEncoder(field: ArrowField, data: ArrowData, isJson: boolean): CellEncoder {
  const { type } = field;
  if (arrow.DataType.isUtf8(type))
    return plainCells(new BytesReader(data), data.length, isJson) ?? textCells(new BytesReader(data), isJson);
  if (arrow.DataType.isBinary(type)) return bytesCells(new BytesReader(data));
  if (arrow.DataType.isBool(type)) {
    const flags = new BoolReader(data);
    return row => (flags.isNull(row) ? null : String(flags.flag(row)));
  }
  if (arrow.DataType.isTimestamp(type)) {
    const times = new Int64Reader(data);
    return row => (times.isNull(row) ? null : `"${isoMicros(times.number(row))}"`);
  }
  if (arrow.DataType.isInt(type) && type.bitWidth === 64) {
    const integers = new Int64Reader(data);
    return row => (integers.isNull(row) ? null : integers.digits(row));
  }
  if (arrow.DataType.isFixedSizeList(type)) {
    const vectors = new VectorReader(data, type.listSize);
    return row => vectorText(vectors.vector(row));
  }
  const numbers = new NumberReader(data);
  return row => (numbers.isNull(row) ? null : String(numbers.number(row)));
}

/** With all digits of the numbers of 32 bits. JSON has no other numbers than finite ones. */
function vectorText(vector: Float32Array | null): string | null {
  return vector === null ? null : JSON.stringify(Array.from(vector));
}

/** A column of ASCII that needs no escapes is decoded once, and its cells are parts of that; null for any other. */
function plainCells(texts: BytesReader, rows: number, isJson: boolean): CellEncoder | null {
  const first = texts.start(0);
  const bytes = texts.bytes.subarray(first, texts.end(rows - 1));
  if (!isAscii(bytes)) return null;
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (isJson ? all.includes('\n') || all.includes('\r') : JSON.stringify(all).length > all.length + 2) return null;
  const quote = isJson ? '' : '"';
  return row => (texts.isNull(row) ? null : quote + all.substring(texts.start(row) - first, texts.end(row) - first) + quote);
}

function textCells(texts: BytesReader, isJson: boolean): CellEncoder {
  if (isJson) return row => texts.text(row)?.replaceAll(/[\r\n]/g, ' ') ?? null;
  return row => {
    const text = texts.text(row);
    return text === null ? null : JSON.stringify(text);
  };
}

function bytesCells(bytes: BytesReader): CellEncoder {
  return row => {
    const copy = bytes.copy(row);
    return copy === null ? null : `"${Buffer.from(copy).toString('base64')}"`;
  };
}

const MAX_DATE_MS = 8.64e15;

/** `2026-01-31T12:00:00.123456Z`; the last three digits are left out when they are 0. */
export function isoMicros(micros: number): string {
  const ms = Math.floor(micros / 1000);
  const rest = micros - ms * 1000;
  const iso = new Date(Math.max(-MAX_DATE_MS, Math.min(MAX_DATE_MS, ms))).toISOString();
  return rest === 0 ? iso : `${iso.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}
