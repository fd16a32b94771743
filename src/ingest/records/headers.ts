import { isJsonObject, TailwaterError, utf8 } from '../../base/index.ts';
import type { RecordHeader } from '../../streams/index.ts';

/** Throws TW_SCHEMA_MISMATCH unless headers are an object of texts. */
export function headersOf(given: unknown): RecordHeader[] | null {
  if (given === undefined || given === null) return null;
  if (!isJsonObject(given)) throw badHeaders('headers must be an object of texts');
  const entries = Object.entries(given);
  if (entries.length === 0) return null;
  return entries.map(([name, value]) => {
    if (typeof value !== 'string') throw badHeaders(`header "${name}" is not a text`);
    return { name, value: utf8(value) };
  });
}

function badHeaders(why: string): TailwaterError {
  return new TailwaterError('TW_SCHEMA_MISMATCH', { detail: `The record is not valid: ${why}.` });
}
