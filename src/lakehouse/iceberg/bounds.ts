import type { IcebergType, TableFile } from './iceberg-types.ts';

/** Characters of a text that a bound keeps, as Iceberg's `truncate(16)`. */
const PREFIX = 16;

/** A bound in Iceberg's binary form of a single value, from the text that DuckDB's statistics give; undefined: no bound. */
export function boundOf(type: IcebergType, text: string, side: 'lower' | 'upper'): Uint8Array | undefined {
  switch (type) {
    case 'int':
      return bytesOf(4, view => view.setInt32(0, Number(text), true));
    case 'long':
      return longBytes(BigInt(text));
    case 'double':
      return bytesOf(8, view => view.setFloat64(0, Number(text), true));
    case 'boolean':
      return new Uint8Array([text === '1' || text === 'true' ? 1 : 0]);
    case 'timestamptz':
      return timestampBytes(text);
    case 'string':
      return textBound(text, side);
    case 'binary':
      return undefined;
  }
}

export function longBytes(value: bigint): Uint8Array {
  return bytesOf(8, view => view.setBigInt64(0, value, true));
}

export function longOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0, true);
}

export function intOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(0, true);
}

/** `2023-11-14 22:13:20.004999+00`; anything else, as years of five digits are written, gives no bound. */
function timestampBytes(text: string): Uint8Array | undefined {
  const parts = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00(?::00)?$/.exec(text);
  if (parts === null) return undefined;
  const seconds = Date.parse(`${parts[1]}T${parts[2]}Z`) / 1000;
  return longBytes(BigInt(seconds) * 1_000_000n + BigInt((parts[3] ?? '').padEnd(6, '0')));
}

/** The upper bound of a text that is cut must not be below it: its last character is raised, or there is none. */
function textBound(text: string, side: 'lower' | 'upper'): Uint8Array | undefined {
  const chars = [...text.slice(0, PREFIX * 2 + 2)];
  if (chars.length <= PREFIX && text.length <= PREFIX * 2) return Buffer.from(text);
  const prefix = chars.slice(0, PREFIX);
  if (side === 'lower') return Buffer.from(prefix.join(''));
  for (let at = prefix.length - 1; at >= 0; at--) {
    const raised = raisedChar(prefix[at].codePointAt(0)!);
    if (raised !== null) return Buffer.from(prefix.slice(0, at).join('') + String.fromCodePoint(raised));
  }
  return undefined;
}

function raisedChar(code: number): number | null {
  const next = code + 1;
  if (next >= 0xd800 && next <= 0xdfff) return 0xe000;
  return next > 0x10ffff ? null : next;
}

function bytesOf(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return bytes;
}

/** Between which values of a field the rows of a file lie; infinite where it does not say. */
export function rangeOf(file: TableFile, id: number, read: (bytes: Uint8Array) => number): { low: number; high: number } {
  const [lower, upper] = [file.lower.get(id), file.upper.get(id)];
  return { low: lower === undefined ? -Infinity : read(lower), high: upper === undefined ? Infinity : read(upper) };
}
