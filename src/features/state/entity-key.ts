import { isJsonObject, type JsonValue, TailwaterError, valueAt } from '../../base/index.ts';

/**
 * What an entity is known by: the text of its one field, or a JSON array of the texts of several. Fields are texts, numbers or
 * booleans; 5 and "5" are the same entity, as they are the same key of a stream. Null when a field is missing.
 */
export function entityOfValue(fields: readonly string[], value: JsonValue): string | null {
  return fields.length === 1 ? textOf(valueAt(value, fields[0])) : joined(fields.map(field => valueAt(value, field)));
}

/** An entity as a request names it: the field, a list of the fields in order, or an object of them. Throws TW_BAD_REQUEST. */
export function entityOfRequest(fields: readonly string[], given: JsonValue): string {
  const values = isJsonObject(given)
    ? fields.map(field => (Object.hasOwn(given, field) ? given[field] : undefined))
    : Array.isArray(given)
      ? given
      : [given];
  const entity = values.length === fields.length ? joined(values) : null;
  if (entity === null) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `${JSON.stringify(given)?.slice(0, 200)} names no entity; its fields are ${fields.join(', ')}.`,
    });
  }
  return entity;
}

function joined(values: readonly (JsonValue | undefined)[]): string | null {
  const texts = values.map(textOf);
  if (texts.some(text => text === null)) return null;
  return texts.length === 1 ? texts[0] : JSON.stringify(texts);
}

function textOf(value: JsonValue | undefined): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
