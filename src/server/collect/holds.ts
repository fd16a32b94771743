import type { PinRecord } from '../../journal/index.ts';
import { asStatePin, type PinnedStates, type StateFiles } from '../../lakehouse/index.ts';
import { asLogPin } from '../../streams/index.ts';

/** A table state that this process reads from, kept as if it were pinned. */
export interface StateInUse {
  incarnation: string;
  n: number;
}

/** What must stay although it is old. */
export interface Holds {
  /** Per incarnation. */
  states: Map<string, { numbers: number[]; files: StateFiles[] }>;
  /** The lowest segment to keep, per log shard. */
  logs: Map<number, number>;
  pins: number;
  /** Pins of a kind that this version does not know: they may mean anything. */
  unknown: number;
}

export function holdsOf(pins: readonly PinRecord[], inUse: Iterable<StateInUse>): Holds {
  const holds: Holds = { states: new Map(), logs: new Map(), pins: pins.length, unknown: 0 };
  for (const state of inUse) addState(holds, state);
  for (const { what } of pins) {
    const state = asStatePin(what);
    const log = asLogPin(what);
    if (state !== null) addState(holds, state);
    else if (log !== null) holds.logs.set(log.shard, Math.min(log.fromSeq, holds.logs.get(log.shard) ?? log.fromSeq));
    else holds.unknown++;
  }
  return holds;
}

/** What of one table stays. */
export function heldStates(holds: Holds, incarnation: string): PinnedStates {
  return holds.states.get(incarnation) ?? { numbers: [], files: [] };
}

function addState(holds: Holds, { incarnation, n, files }: StateInUse & { files?: StateFiles }): void {
  const held = holds.states.get(incarnation) ?? { numbers: [], files: [] };
  holds.states.set(incarnation, held);
  if (files === undefined) held.numbers.push(n);
  else held.files.push(files);
}
