import { fromUtf8, TailwaterError, utf8 } from '../../base/index.ts';

/** JSON whose integers are exact: those beyond 2^53, such as the snapshot ids of other engines, are bigints, and all others numbers. */
export type Json = null | boolean | number | bigint | string | Json[] | JsonMap;

export interface JsonMap {
  [name: string]: Json;
}

/** An integer of JSON in its one form, so that `===` compares. */
export type Id = number | bigint;

interface SourceJson {
  rawJSON(text: string): unknown;
  parse(text: string, reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown): unknown;
}

/** ES2025's source text access, which TypeScript's library does not describe yet. */
const json = JSON as unknown as SourceJson;

/** Throws TW_MALFORMED_JSON, TW_TOO_DEEP. */
export function parseExactJson(bytes: Uint8Array): Json {
  try {
    return json.parse(fromUtf8(bytes), (_key, value, { source }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source!) ? BigInt(source!) : value,
    ) as Json;
  } catch (error) {
    if (error instanceof RangeError)
      throw new TailwaterError('TW_TOO_DEEP', { detail: 'The JSON is nested too deeply to be read.' });
    throw new TailwaterError('TW_MALFORMED_JSON', { detail: `The body is not valid JSON: ${(error as Error).message}.` });
  }
}

/** `space`: how deep each level is indented; absent: all on one line. */
export function exactJsonText(value: Json, space?: number): string {
  return JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? json.rawJSON(String(each)) : each), space);
}

export function exactJsonBytes(value: Json): Uint8Array {
  return utf8(exactJsonText(value));
}

/** One text for equal values, whatever the order of their names. */
export function canonicalText(value: Json): string {
  return exactJsonText(sorted(value));
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map(name => [name, sorted(value[name])]));
}

export function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isId(value: Json | undefined): value is Id {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}
