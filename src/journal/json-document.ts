import { fromUtf8, isJsonObject, type JsonObject, TailwaterError, utf8 } from '../base/index.ts';
import { damaged } from './journal-errors.ts';

const FORMAT_VERSION = 1;

/** A small JSON object in the store that says which version wrote it. */
export function encodeDocument(content: JsonObject): Uint8Array {
  return utf8(JSON.stringify({ formatVersion: FORMAT_VERSION, ...content }));
}

/** Throws TW_DATA_DAMAGED or TW_FORMAT_TOO_NEW, naming the key. */
export function decodeDocument(bytes: Uint8Array, key: string): JsonObject {
  const document = parse(bytes);
  if (!isJsonObject(document) || typeof document.formatVersion !== 'number') throw damaged(`${key} cannot be read.`, { key });
  if (document.formatVersion > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', { detail: `${key} has format ${document.formatVersion}.` });
  }
  return document;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch {
    return undefined;
  }
}
