import { fromUtf8, isJsonObject, TailwaterError, utf8 } from '../../base/index.ts';
import type { TableState } from '../table-types.ts';

/** A name for one instant of a stream: exactly what a table state holds. It keeps the state, also when its journal no longer does. */
export interface TableTag {
  name: string;
  createdAtMs: number;
  /** Random per attempt: who does not know the outcome of a creation reads the tag and looks for its own. */
  attemptId: string;
  state: TableState;
}

const FORMAT_VERSION = 1;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Throws TW_BAD_REQUEST. */
export function checkTagName(name: string): void {
  if (NAME.test(name)) return;
  const shown = JSON.stringify(name.slice(0, 140));
  throw new TailwaterError('TW_BAD_REQUEST', {
    detail: `${shown} is not a tag name: use 1-128 letters, digits, dots, dashes and underscores, starting with a letter or digit.`,
  });
}

export function isTagName(name: string): boolean {
  return NAME.test(name);
}

export function encodeTag(tag: TableTag): Uint8Array {
  return utf8(JSON.stringify({ formatVersion: FORMAT_VERSION, ...tag }));
}

/** Throws TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW, naming the object. */
export function decodeTag(bytes: Uint8Array, key: string, incarnation: string): TableTag {
  const { formatVersion, ...tag } = parse(bytes, key);
  if (typeof formatVersion === 'number' && formatVersion > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `${key} has format ${formatVersion}, this build reads ${FORMAT_VERSION}.`,
    });
  }
  const { name, createdAtMs, attemptId, state } = tag;
  const whole = typeof name === 'string' && typeof createdAtMs === 'number' && typeof attemptId === 'string';
  if (formatVersion !== FORMAT_VERSION || !whole || !isJsonObject(state) || state.incarnation !== incarnation) throw damaged(key);
  return { name, createdAtMs, attemptId, state: state as unknown as TableState };
}

function parse(bytes: Uint8Array, key: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes));
    if (isJsonObject(value)) return value;
  } catch {
    // Said below.
  }
  throw damaged(key);
}

function damaged(key: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `The tag ${key} is not readable.` });
}
