import { type JsonObject, type JsonValue, TailwaterError, valueAt } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';

/** Beyond it the sum of their squares is no number any more. */
const MAX_COMPONENT = 1e30;

/** A record may come without a vector; only text finds it then. Throws TW_VECTOR_LENGTH, TW_SCHEMA_MISMATCH. */
export function checkGivenVector({ embed }: StreamDefinition, value: JsonObject): void {
  if (embed?.provider !== 'given') return;
  const [field] = embed.fields;
  const vector = valueAt(value, field);
  if (vector === undefined || vector === null) return;
  if (!Array.isArray(vector) || !vector.every(isComponent)) {
    throw new TailwaterError('TW_SCHEMA_MISMATCH', {
      detail: `"${field}" must be a vector: an array of ${embed.dimensions} numbers up to ${MAX_COMPONENT}.`,
    });
  }
  if (vector.length === embed.dimensions) return;
  throw new TailwaterError('TW_VECTOR_LENGTH', {
    detail: `The vector in "${field}" has ${vector.length} dimensions; the stream has ${embed.dimensions}.`,
    data: { expected: embed.dimensions, actual: vector.length },
  });
}

function isComponent(found: JsonValue): boolean {
  return typeof found === 'number' && Math.abs(found) <= MAX_COMPONENT;
}
