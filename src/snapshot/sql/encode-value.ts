import {
  DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListType,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';

/**
 * The JSON text of a value, exact: docs/SQL.md has the table. Integers and decimals have all their digits; a number that JSON has no word for
 * is a text; a column of JSON is the JSON itself; lists are arrays, structs objects, maps arrays of [key, value].
 */
export function jsonOf(value: DuckDBValue, type: DuckDBType): string {
  if (value === null || value === undefined) return 'null';
  switch (typeof value) {
    case 'string':
      return type.alias === 'JSON' ? value : JSON.stringify(value);
    case 'number':
      return Number.isFinite(value) ? String(value) : `"${value}"`;
    case 'bigint':
    case 'boolean':
      return String(value);
  }
  return jsonOfObject(value as object, type);
}

function jsonOfObject(value: object, type: DuckDBType): string {
  if (value instanceof DuckDBDecimalValue) return value.toString();
  if (value instanceof DuckDBTimestampTZValue) return timestamp(value, 'Z');
  if (value instanceof DuckDBTimestampValue) return timestamp(value, '');
  if (value instanceof DuckDBBlobValue) return `"${Buffer.from(value.bytes).toString('base64')}"`;
  if (value instanceof DuckDBUnionValue) return jsonOf(value.value, type);
  if (value instanceof DuckDBStructValue) return structJson(value, type);
  if (value instanceof DuckDBMapValue) return mapJson(value, type);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const inner = type instanceof DuckDBListType || type instanceof DuckDBArrayType ? type.valueType : type;
    return `[${value.items.map(item => jsonOf(item, inner)).join(',')}]`;
  }
  return JSON.stringify(String(value));
}

function structJson(value: DuckDBStructValue, type: DuckDBType): string {
  const types = type instanceof DuckDBStructType ? type : null;
  const fields = Object.entries(value.entries).map(([name, field], index) => {
    return `${JSON.stringify(name)}:${jsonOf(field, types?.entryTypes[index] ?? type)}`;
  });
  return `{${fields.join(',')}}`;
}

function mapJson(value: DuckDBMapValue, type: DuckDBType): string {
  const [keys, values] = type instanceof DuckDBMapType ? [type.keyType, type.valueType] : [type, type];
  return `[${value.entries.map(entry => `[${jsonOf(entry.key, keys)},${jsonOf(entry.value, values)}]`).join(',')}]`;
}

/** ISO 8601 with milliseconds, or microseconds when there are; DuckDB's infinities as it writes them. */
function timestamp(value: DuckDBTimestampValue | DuckDBTimestampTZValue, zone: string): string {
  if (!value.isFinite) return `"${value.micros > 0n ? 'infinity' : '-infinity'}"`;
  const seconds = value.micros / 1_000_000n - (value.micros % 1_000_000n < 0n ? 1n : 0n);
  const micros = value.micros - seconds * 1_000_000n;
  const ms = Number(seconds) * 1000;
  // A date of JavaScript ends earlier than DuckDB's.
  if (Math.abs(ms) > 8.64e15) return JSON.stringify(String(value));
  const date = new Date(ms).toISOString().slice(0, -5);
  const fraction = String(micros).padStart(6, '0').replace(/000$/, '');
  return `"${date}.${fraction}${zone}"`;
}
