import { listAll, type ObjectStore } from '../storage/index.ts';
import { damaged } from './journal-errors.ts';
import { parseSeqName } from './names.ts';
import { ObjectJournal } from './object-journal.ts';

export interface JournalFacts {
  floor: number;
  /** The last entry; `floor - 1` when there is none. */
  head: number;
  /** The entry that the newest checkpoint follows; 0: there is none. */
  checkpointSeq: number;
}

/** Reads what `fault` reports of an entry; the rest is still looked at. */
export type FaultListener = (seq: number, error: unknown) => void;

/**
 * Reads a journal in an object store from its floor to its last entry: all must be there and whole, and a checkpoint must reach the floor
 * (J6). `visit` is told each entry that is, and may throw to say that it is not. Writes nothing.
 */
export async function verifyObjectJournal(
  store: ObjectStore,
  prefix: string,
  visit: (seq: number, bytes: Uint8Array) => void,
  fault: FaultListener,
): Promise<JournalFacts> {
  const journal = new ObjectJournal(store, prefix);
  const floor = await journal.floor();
  const checkpointSeq = (await journal.latestCheckpoint())?.seq ?? 0;
  if (checkpointSeq < floor - 1)
    fault(floor, damaged(`The floor is ${floor}, but the newest checkpoint is of entry ${checkpointSeq}.`));
  const head = Math.max(floor - 1, await lastEntry(store, `${prefix}/entries/`));
  for (let seq = floor; seq <= head; seq++) {
    try {
      const bytes = await journal.read(seq);
      // Collected meanwhile.
      if (bytes === null && (await journal.floor()) > seq) continue;
      if (bytes === null) throw damaged(`Entry ${seq} is missing, and later ones are there.`);
      visit(seq, bytes);
    } catch (error) {
      fault(seq, error);
    }
  }
  return { floor, head, checkpointSeq };
}

async function lastEntry(store: ObjectStore, prefix: string): Promise<number> {
  let last = 0;
  for await (const { key } of listAll(store, prefix)) last = Math.max(last, parseSeqName(key.slice(prefix.length)) ?? 0);
  return last;
}
