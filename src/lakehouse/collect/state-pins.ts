import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { Pin, Pins } from '../../journal/index.ts';
import type { TableStates } from '../states/table-states.ts';
import type { TableState } from '../table-types.ts';

/** What there is of a table state besides its entry in the journal. */
export type StateFiles = Pick<TableState, 'rowsVersion' | 'changesVersion' | 'statistics'>;

/** What a pin says that keeps a table state with its versions and statistics (J9): `{"kind":"table-state","incarnation":…,"n":7}`. */
export interface StatePin {
  kind: 'table-state';
  incarnation: string;
  n: number;
  /** Of a state that is in no journal any more, only in a tag: what it names. */
  files?: StateFiles;
}

/** Null when the pin is about something else. */
export function asStatePin(what: JsonValue): StatePin | null {
  if (!isJsonObject(what) || what.kind !== 'table-state') return null;
  const { incarnation, n, files } = what;
  if (typeof incarnation !== 'string' || typeof n !== 'number') return null;
  const pin = { kind: 'table-state' as const, incarnation, n };
  return isJsonObject(files) ? { ...pin, files: files as unknown as StateFiles } : pin;
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

/** Keeps a state that only a tag keeps, for longer than the tag may stay. Whether the tag is there is looked at afterwards, by the caller. */
export function pinStateFiles(pins: Pins, state: TableState, ttlMs: number): Promise<Pin> {
  const { incarnation, n, rowsVersion, changesVersion, statistics } = state;
  return pins.create({ kind: 'table-state', incarnation, n, files: { rowsVersion, changesVersion, statistics } }, ttlMs);
}
