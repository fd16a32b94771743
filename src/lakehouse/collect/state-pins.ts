import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { Pin, Pins } from '../../journal/index.ts';
import type { TableStates } from '../states/table-states.ts';
import type { TableState } from '../table-types.ts';

/** What a pin says that keeps a table state with its versions and statistics (J9): `{"kind":"table-state","incarnation":…,"n":7}`. */
export interface StatePin {
  kind: 'table-state';
  incarnation: string;
  n: number;
}

/** Null when the pin is about something else. */
export function asStatePin(what: JsonValue): StatePin | null {
  if (!isJsonObject(what) || what.kind !== 'table-state') return null;
  const { incarnation, n } = what;
  return typeof incarnation === 'string' && typeof n === 'number' ? { kind: 'table-state', incarnation, n } : null;
}

/**
 * Keeps a state for a reader that needs it longer than the grace time: pinned first, then looked at again. Throws TW_HISTORY_EXPIRED
 * when the collector was faster.
 */
export async function pinTableState(pins: Pins, states: TableStates, state: TableState, ttlMs: number): Promise<Pin> {
  const what: JsonObject & StatePin = { kind: 'table-state', incarnation: state.incarnation, n: state.n };
  const pin = await pins.create(what, ttlMs);
  if ((await states.floor()) <= state.n) return pin;
  await pin.release();
  throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `Table state ${state.n} is no longer kept.` });
}
