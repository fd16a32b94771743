import { isJsonObject, type JsonObject, type JsonValue, TailwaterError, utf8, valueAt } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import { numberTextAt } from './exact-json.ts';
import type { ParsedValue } from './input.ts';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The key of a record: from the declared fields, or as the record brings it. One field: its text; several: a JSON array of them. Null
 * when an append stream's record has none. Throws TW_KEY_REQUIRED, TW_SCHEMA_MISMATCH.
 */
export function keyOf(definition: StreamDefinition, given: unknown, parsed: ParsedValue): Uint8Array | null {
  const brought = given === undefined || given === null ? null : givenKey(given);
  if (definition.key === null || parsed.value === null) return requireKey(definition, brought);
  const declared = utf8(declaredKey(definition.key, parsed));
  if (brought !== null && Buffer.compare(declared, brought) !== 0) {
    throw new TailwaterError('TW_SCHEMA_MISMATCH', {
      detail: `The record’s key differs from its key field ${definition.key.join(', ')}.`,
    });
  }
  return declared;
}

function requireKey(definition: StreamDefinition, brought: Uint8Array | null): Uint8Array | null {
  if (brought !== null || definition.kind === 'append') return brought;
  throw new TailwaterError('TW_KEY_REQUIRED', {
    detail: 'Records of an upsert stream need a key; a deletion names the key it deletes.',
  });
}

function givenKey(given: unknown): Uint8Array {
  if (typeof given === 'string') return utf8(given);
  if (isJsonObject(given) && typeof given.base64 === 'string' && BASE64.test(given.base64))
    return Buffer.from(given.base64, 'base64');
  throw new TailwaterError('TW_SCHEMA_MISMATCH', { detail: 'A key must be a text or {"base64": "…"}.' });
}

function declaredKey(fields: readonly string[], parsed: ParsedValue): string {
  if (fields.length === 1) {
    const part = keyPart(fields[0], parsed);
    return typeof part === 'string' ? part : part.text;
  }
  const parts = fields.map(field => keyPart(field, parsed));
  return `[${parts.map(part => (typeof part === 'string' ? JSON.stringify(part) : part.text)).join(',')}]`;
}

/** A text as it is; numbers and booleans as the JSON text they came as. */
function keyPart(field: string, parsed: ParsedValue): string | { text: string } {
  const found = valueAt(parsed.value, field);
  if (typeof found === 'string') return found;
  if (typeof found === 'boolean') return { text: String(found) };
  if (typeof found === 'number') return { text: numberText(field, found, parsed) };
  throw new TailwaterError('TW_KEY_REQUIRED', {
    detail:
      found === undefined
        ? `The key field "${field}" is missing.`
        : `The key field "${field}" is neither text, number nor boolean.`,
  });
}

/** Two keys that differ only beyond 2^53 are two keys. */
function numberText(field: string, found: number, parsed: ParsedValue): string {
  if (Number.isSafeInteger(found)) return String(found);
  return numberTextAt(parsed.text(), pathOf(field, parsed.value!)) ?? String(found);
}

function pathOf(field: string, value: JsonObject): string[] {
  const path: string[] = [];
  let rest = field;
  let at: JsonValue = value;
  while (isJsonObject(at) && !Object.hasOwn(at, rest) && rest.includes('.')) {
    const dot = rest.indexOf('.');
    path.push(rest.slice(0, dot));
    at = at[rest.slice(0, dot)];
    rest = rest.slice(dot + 1);
  }
  return [...path, rest];
}
