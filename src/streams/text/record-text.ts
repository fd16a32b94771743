import { type JsonValue, valueAt } from '../../base/index.ts';
import type { StreamDefinition } from '../definition.ts';

/** What full-text search reads of a value: the texts of `search.fields`, joined with a newline; null when there is nothing to read. */
export function searchText(definition: StreamDefinition, value: JsonValue): string | null {
  return definition.search === null ? null : textOf(definition.search.fields, value);
}

/** What is embedded of a value: the texts of `embed.fields`, joined with a newline; null when there is nothing to embed. */
export function embedText(definition: StreamDefinition, value: JsonValue): string | null {
  return definition.embed === null ? null : textOf(definition.embed.fields, value);
}

function textOf(fields: readonly string[], value: JsonValue): string | null {
  if (fields.length === 1) return pieceOf(valueAt(value, fields[0]));
  let joined: string | null = null;
  for (const field of fields) {
    const piece = pieceOf(valueAt(value, field));
    if (piece !== null) joined = joined === null ? piece : `${joined}\n${piece}`;
  }
  return joined;
}

/** Lists in lists deeper than this are not read: a record may nest as deep as its size allows. */
const MAX_LIST_DEPTH = 16;

/** Strings as they are, numbers and booleans as JSON, lists piece by piece; objects, null and empty strings have no text. */
function pieceOf(found: JsonValue | undefined, depth = 0): string | null {
  if (typeof found === 'string') return found === '' ? null : found;
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  if (!Array.isArray(found) || depth === MAX_LIST_DEPTH) return null;
  const pieces = found.map(inner => pieceOf(inner, depth + 1)).filter(piece => piece !== null);
  return pieces.length === 0 ? null : pieces.join('\n');
}
