import { fromUtf8, utf8 } from '../../src/base/index.ts';
import type { BuildProposal, JournalMachine } from '../../src/journal/index.ts';

/** What an entry says in these tests. */
interface TallyEntry {
  writer: string;
  sequence: number;
  nonce: number;
  /** The head as the writer knew it when it built the entry: J1 says that it is the number before. */
  builtOn: number;
}

export interface Tally {
  /** `writer:sequence` of every entry, in order. */
  applied: string[];
  /** The last sequence per writer. */
  last: Record<string, number>;
}

/** A state that remembers every entry, so that loss, repetition and disorder all show. */
export function tallyMachine(options: { forgetWriters?: boolean } = {}): JournalMachine<Tally> {
  return {
    initial: () => ({ applied: [], last: {} }),
    apply(state, seq, bytes) {
      const entry = decode(bytes);
      if (entry.builtOn !== seq - 1) throw new Error(`Entry ${seq} was built on ${entry.builtOn}`);
      if (state.applied.length !== seq - 1) throw new Error(`Entry ${seq} was applied to a state of ${state.applied.length}`);
      state.applied.push(`${entry.writer}:${entry.sequence}`);
      state.last[entry.writer] = entry.sequence;
      return state;
    },
    encodeCheckpoint: state => utf8(JSON.stringify(state)),
    decodeCheckpoint: bytes => JSON.parse(fromUtf8(bytes)) as Tally,
    settled: (state, writerId, sequence) => {
      if (options.forgetWriters) return undefined;
      return (state.last[writerId] ?? -1) >= sequence;
    },
  };
}

function decode(bytes: Uint8Array): TallyEntry {
  return JSON.parse(fromUtf8(bytes)) as TallyEntry;
}

/** Proposes `writer:sequence` once; the result is the number it was given. */
export function tallyProposal(writer: string, sequence: number, nonce = 0): BuildProposal<Tally, number> {
  return (state, seq) => {
    const entry: TallyEntry = { writer, sequence, nonce, builtOn: state.applied.length };
    return { kind: 'entry', bytes: utf8(JSON.stringify(entry)), writerId: writer, writerSequence: sequence, result: seq };
  };
}
