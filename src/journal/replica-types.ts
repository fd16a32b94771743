/**
 * A state machine folded from a journal: pure functions only. `encode`/`decode` of checkpoints carry a version.
 * S is treated as owned by the replica: `apply` may return the same object, mutated.
 */
export interface JournalMachine<S> {
  initial(): S;
  /** Applies entry `seq`. Throws TW_DATA_DAMAGED or TW_FORMAT_TOO_NEW on bytes it cannot read. */
  apply(state: S, seq: number, bytes: Uint8Array): S;
  encodeCheckpoint(state: S): Uint8Array;
  decodeCheckpoint(bytes: Uint8Array): S;
  /** J2: whether the writer's attempt with this writer sequence was applied, judged from the state alone (below the floor). Undefined: expired. */
  settled(state: S, writerId: string, writerSequence: number): boolean | undefined;
}

/** What `propose` asks for: the entry for number `seq` on this very state, or nothing more to do. Called again after every lost race (J3). */
export type Proposal<R> =
  | { kind: 'entry'; bytes: Uint8Array; writerId: string; writerSequence: number; result: R }
  | { kind: 'done'; result: R };

export type BuildProposal<S, R> = (state: S, seq: number) => Proposal<R>;
