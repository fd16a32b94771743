import { InvalidArgumentError } from 'commander';
import { isJsonObject, type JsonObject } from '../base/index.ts';
import type { StreamSettings, TimeUnit } from '../streams/index.ts';

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0 || text.trim() === '')
    throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return count;
}

export function parseJsonObject(text: string): JsonObject {
  const value = parsed(text);
  if (!isJsonObject(value)) throw new InvalidArgumentError('It must be a JSON object, such as \'{"status": "open"}\'.');
  return value;
}

export function parseVector(text: string): number[] {
  const value = parsed(text);
  if (!Array.isArray(value) || !value.every(item => typeof item === 'number'))
    throw new InvalidArgumentError('It must be a JSON array of numbers.');
  return value;
}

export function parseFields(text: string): string[] {
  const fields = text.split(',').map(field => field.trim());
  if (fields.some(field => field === '')) throw new InvalidArgumentError('It must be field names with commas between them.');
  return fields;
}

/** `field` (ISO 8601 text or milliseconds) or `field:s|ms|us`. */
export function parseTime(text: string): NonNullable<StreamSettings['time']> {
  const match = /^(.+):(s|ms|us)$/.exec(text);
  return match === null ? text : { field: match[1], unit: match[2] as TimeUnit };
}

const BYTE_UNITS: ReadonlyMap<string, number> = new Map(
  ['B', 'KiB', 'MiB', 'GiB', 'TiB'].map((unit, power): [string, number] => [unit, 1024 ** power]),
);

/** A duration such as `P30D`, bytes such as `10GiB`, or both with a comma between them. */
export function parseRetention(text: string): NonNullable<StreamSettings['retention']> {
  const parts = text.split(',').map(part => part.trim());
  const sizes = parts.map(bytesOf);
  const bytes = sizes.find(size => size !== null);
  if (parts.length === 1) return bytes == null ? text : { bytes };
  const age = parts.find((_, index) => sizes[index] === null);
  if (parts.length > 2 || age === undefined || bytes == null)
    throw new InvalidArgumentError(
      'It must be a duration, such as P30D, bytes, such as 10GiB, or both with a comma between them.',
    );
  return { age, bytes };
}

/** Null when the text is no size. */
function bytesOf(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([KMGT]iB|B)$/.exec(text);
  return match === null ? null : Math.floor(Number(match[1]) * BYTE_UNITS.get(match[2])!);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is not valid JSON: ${(error as Error).message}`);
  }
}
