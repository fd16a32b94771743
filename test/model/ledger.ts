import { fromUtf8, utf8 } from '../../src/base/index.ts';
import type { BuildProposal, JournalMachine } from '../../src/journal/index.ts';

/** An entry of the explored journal. */
export interface LedgerEntry {
  /** What the client asked to append, once and for all: its idempotency key. */
  id: string;
  writer: string;
  sequence: number;
  nonce: number;
  /** The ids below it, as its writer knew them when it admitted this entry. */
  builtOn: string[];
}

export interface Ledger {
  ids: string[];
  last: Record<string, number>;
}

/** A state that names every entry in order, so that loss, repetition and disorder show in any copy of it. */
export const ledgerMachine: JournalMachine<Ledger> = {
  initial: () => ({ ids: [], last: {} }),
  apply(state, _seq, bytes) {
    const entry = decodeEntry(bytes);
    state.ids.push(entry.id);
    state.last[entry.writer] = entry.sequence;
    return state;
  },
  encodeCheckpoint: state => utf8(JSON.stringify(state)),
  decodeCheckpoint: bytes => JSON.parse(fromUtf8(bytes)) as Ledger,
  settled: (state, writer, sequence) => (state.last[writer] ?? -1) >= sequence,
};

export function decodeEntry(bytes: Uint8Array): LedgerEntry {
  return JSON.parse(fromUtf8(bytes)) as LedgerEntry;
}

export function encodeEntry(entry: LedgerEntry): Uint8Array {
  return utf8(JSON.stringify(entry));
}

/**
 * Appends `id` unless the state has it: the admission that J3 runs again on every new state. Each build for a number has a nonce of its
 * own. `built` is told of every build, with the state it is built on.
 */
export function appendOnce(
  id: string,
  writer: string,
  sequence: number,
  built: (seq: number, nonce: number) => void,
): BuildProposal<Ledger, void> {
  const nonces = new Map<number, number>();
  return (state, seq) => {
    const nonce = (nonces.get(seq) ?? 0) + 1;
    nonces.set(seq, nonce);
    built(seq, nonce);
    if (state.ids.includes(id)) return { kind: 'done', result: undefined };
    const entry: LedgerEntry = { id, writer, sequence, nonce, builtOn: [...state.ids] };
    return { kind: 'entry', bytes: encodeEntry(entry), writerId: writer, writerSequence: sequence, result: undefined };
  };
}
