import { fromUtf8, isJsonObject, TailwaterError, utf8 } from '../../base/index.ts';
import type { TableState } from '../table-types.ts';

const FORMAT_VERSION = 1;

export function encodeTableState(state: TableState): Uint8Array {
  return utf8(JSON.stringify(state));
}

/** Throws TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
export function decodeTableState(bytes: Uint8Array, incarnation: string, n: number): TableState {
  const value = parse(bytes);
  if (!isJsonObject(value) || typeof value.formatVersion !== 'number') throw damaged(incarnation, n);
  if (value.formatVersion > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `Table state ${n} of ${incarnation} has format ${value.formatVersion}, this build reads ${FORMAT_VERSION}.`,
    });
  }
  const state = value as unknown as TableState;
  if (state.n !== n || state.incarnation !== incarnation) throw damaged(incarnation, n);
  return state;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch {
    return undefined;
  }
}

function damaged(incarnation: string, n: number): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `Table state ${n} of ${incarnation} is not readable.` });
}
