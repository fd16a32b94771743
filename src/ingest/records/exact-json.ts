import { isJsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import { type Envelope, VALUE_TEXT } from './input.ts';

/** Numbers of more digits than a double surely holds. */
const LONG_NUMBER = /\d{16}|\d\.\d{15}|\d[eE]/;

interface RawJson {
  rawJSON: string;
}

interface JsonWithRaw {
  rawJSON(text: string): RawJson;
  parse(text: string, reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown): unknown;
}

/** ES2025's JSON.rawJSON and source text access, which Node 24 has and TypeScript's library does not describe yet. */
const json = JSON as unknown as JsonWithRaw;

export function mayHoldLongNumbers(text: string): boolean {
  return LONG_NUMBER.test(text);
}

/**
 * Parses with every number kept as its text; JSON.stringify of the result has the same digits. Throws TW_TOO_DEEP where the parser, which
 * walks values recursively for this, runs out of stack.
 */
export function parseExactly(text: string): unknown {
  try {
    return json.parse(text, (_key, value, context) => (typeof value === 'number' ? json.rawJSON(context.source!) : value));
  } catch (error) {
    throw error instanceof RangeError ? tooDeep() : error;
  }
}

export function tooDeep(): TailwaterError {
  return new TailwaterError('TW_TOO_DEEP', { detail: 'A value is nested so deeply that it cannot be read.' });
}

/** The digits of a number at a dotted path, as the client wrote them; null when there is no number. */
export function numberTextAt(text: string, path: readonly string[]): string | null {
  let found: unknown = parseExactly(text);
  for (const name of path)
    found = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[name] : undefined;
  return typeof found === 'object' && found !== null && 'rawJSON' in found ? String(found.rawJSON) : null;
}

/**
 * The records of a JSON body `{"records": [{key?, time?, headers?, value}]}`. Values whose numbers are too long for a double carry their
 * own text. Throws TW_MALFORMED_JSON, TW_BAD_REQUEST or TW_TOO_DEEP.
 */
export function parseRecordsBody(body: Uint8Array): Envelope[] {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const records = recordsOf(parse(text));
  if (mayHoldLongNumbers(text)) {
    const exact = recordsOf(parseExactly(text));
    for (const [index, record] of records.entries()) {
      if (isJsonObject(record)) Object.assign(record, { [VALUE_TEXT]: JSON.stringify((exact[index] as Envelope).value) });
    }
  }
  return records as Envelope[];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TailwaterError('TW_MALFORMED_JSON', { detail: `The body is not JSON: ${(error as Error).message}.` });
  }
}

function recordsOf(body: unknown): unknown[] {
  const records: JsonValue | undefined = isJsonObject(body) ? body.records : undefined;
  if (Array.isArray(records)) return records;
  throw new TailwaterError('TW_BAD_REQUEST', { detail: 'The body must be {"records": [...]}.', data: { field: 'records' } });
}
