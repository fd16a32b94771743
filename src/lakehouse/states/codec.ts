import { fromUtf8, isJsonObject, TailwaterError, utf8 } from '../../base/index.ts';
import type { TableState } from '../table-types.ts';

const FORMAT_VERSION = 1;

export function encodeTableState(state: TableState): Uint8Array {
  return utf8(JSON.stringify(state));
}

/** Throws TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
export function decodeTableState(bytes: Uint8Array, n: number): TableState {
  const value = parse(bytes, n);
  if (!isJsonObject(value) || typeof value.formatVersion !== 'number') throw damaged(n);
  if (value.formatVersion > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `Table state ${n} has format ${value.formatVersion}, this build reads ${FORMAT_VERSION}.`,
    });
  }
  const state = value as unknown as TableState;
  if (state.n !== n) throw damaged(n);
  return state;
}

function parse(bytes: Uint8Array, n: number): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw damaged(n, cause);
  }
}

function damaged(n: number, cause?: unknown): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `Table state ${n} is not readable.`, cause });
}
