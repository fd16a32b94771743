import { AdditiveHash, hashOfRange, TailwaterError } from '../../base/index.ts';
import { type FaultListener, type JournalFacts, verifyObjectJournal } from '../../journal/index.ts';
import { listAll, type ObjectStore } from '../../storage/index.ts';
import { decodeTableState } from '../states/codec.ts';
import { successorFault } from '../states/successor.ts';
import { statisticsPrefix } from '../statistics/stacking.ts';
import type { TableState } from '../table-types.ts';

export interface StatesFacts extends JournalFacts {
  /** Null when there is no table, or its newest state cannot be read. */
  latest: TableState | null;
  /** The oldest kept state. */
  oldest: TableState | null;
}

/**
 * Checks every kept state of a table: readable, dense, each a sound successor of the one before, with all statistics objects that it names.
 * Writes nothing.
 */
export async function verifyStates(store: ObjectStore, incarnation: string, fault: FaultListener): Promise<StatesFacts> {
  const statistics = new Set<string>();
  for await (const { key } of listAll(store, statisticsPrefix(incarnation))) statistics.add(key);
  let oldest: TableState | null = null;
  let previous: TableState | null = null;
  const visit = (n: number, bytes: Uint8Array): void => {
    const state = decodeTableState(bytes, n);
    const before = previous;
    previous = state;
    oldest ??= state;
    const wrong = before?.n === n - 1 ? successorFault(before, state, offsetsBetween(before, state)) : null;
    const missing = state.statistics.filter(key => !statistics.has(key));
    if (wrong !== null) throw damaged(`State ${n} does not follow from the one before: ${wrong}.`);
    if (missing.length > 0) throw damaged(`State ${n} names statistics that are not there: ${missing.join(', ')}.`);
  };
  const facts = await verifyObjectJournal(store, `tables/${incarnation}/state`, visit, fault);
  const newest = previous as TableState | null;
  return { ...facts, latest: newest?.n === facts.head ? newest : null, oldest };
}

function offsetsBetween(before: TableState, after: TableState): AdditiveHash {
  const hash = new AdditiveHash();
  for (const [partition, last] of after.watermark.entries()) {
    hash.addHash(hashOfRange(partition, (before.watermark[partition] ?? -1) + 1, last));
  }
  return hash;
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail });
}
