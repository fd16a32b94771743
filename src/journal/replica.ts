import { asTailwaterError, equalBytes, isTailwaterError, TailwaterError } from '../base/index.ts';
import { Coalesced } from './coalesced.ts';
import type { CreateOutcome, Journal } from './journal.ts';
import { damaged } from './journal-errors.ts';
import type { BuildProposal, JournalMachine, Proposal } from './replica-types.ts';
import { Serial } from './serial.ts';

/** Called for every applied entry. Must not throw. */
export type AppliedListener = (seq: number, bytes: Uint8Array, own: boolean) => void;
/** Called when the state was taken from a checkpoint: entries (fromSeq, toSeq] were not applied one by one. */
export type ReloadedListener = (fromSeq: number, toSeq: number) => void;

type Entry = Extract<Proposal<unknown>, { kind: 'entry' }>;
type Verdict = 'mine' | 'lost' | 'absent';

/** Entries are applied in runs of at most so many, each vouched for by one reading of the floor. */
const MAX_RUN_ENTRIES = 256;
const MAX_RUN_BYTES = 32 * 1024 * 1024;
/** How often the same bytes are sent while the outcome stays unknown. */
const MAX_SENDS = 6;
const MAX_LOADS = 10;

/**
 * A state folded from a journal, and the only way to add to it: J1-J6 of the design. Any number of replicas may propose to the same
 * journal. The journal stays open on `close()`: who opened it closes it.
 */
export class JournalReplica<S> {
  readonly #journal: Journal;
  readonly #machine: JournalMachine<S>;
  readonly #checkpointEvery: number;
  readonly #changes = new Serial();
  readonly #probe = new Coalesced(() => this.#strongProbe());
  readonly #appliedListeners = new Set<AppliedListener>();
  readonly #reloadedListeners = new Set<ReloadedListener>();
  #state: S;
  #seq = 0;
  #checkpointSeq = 0;
  #checkpointing: Promise<void> | null = null;
  #closed = false;
  #failure: unknown = null;
  #counts = { applied: 0, lost: 0, unknown: 0, reloads: 0, checkpoints: 0, failedCheckpoints: 0 };

  private constructor(journal: Journal, machine: JournalMachine<S>, checkpointEvery: number) {
    this.#journal = journal;
    this.#machine = machine;
    this.#checkpointEvery = checkpointEvery;
    this.#state = machine.initial();
  }

  /** Loads the newest checkpoint and applies every entry up to the head. `checkpointEvery`: own commits between checkpoints; default never. */
  static async open<S>(
    journal: Journal,
    machine: JournalMachine<S>,
    options: { checkpointEvery?: number } = {},
  ): Promise<JournalReplica<S>> {
    const replica = new JournalReplica(journal, machine, options.checkpointEvery ?? Number.POSITIVE_INFINITY);
    await replica.#load();
    await replica.#catchUp();
    return replica;
  }

  get state(): S {
    return this.#state;
  }

  /** The last applied entry; 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  /**
   * Commits what `build` asks for on the newest state, and returns its result once it is durable. One attempt is in flight at a time.
   * Throws what `build` throws, TW_OUTCOME_UNKNOWN when it cannot be learned whether the entry was committed, and the journal's
   * errors when it certainly was not.
   */
  propose<R>(build: BuildProposal<S, R>): Promise<R> {
    return this.#changes.run(() => this.#propose(build));
  }

  /** Afterwards the state holds everything that was committed before the call. Callers that come before the probe is sent share it. */
  refresh(): Promise<void> {
    return this.#probe.request();
  }

  /** Entries come in order, synchronously as they are applied, and before `propose` resolves. Returns how to stop. */
  onApplied(listener: AppliedListener): () => void {
    this.#appliedListeners.add(listener);
    return () => this.#appliedListeners.delete(listener);
  }

  /** Told when this replica had fallen behind the floor and took its state from a checkpoint. Returns how to stop. */
  onReloaded(listener: ReloadedListener): () => void {
    this.#reloadedListeners.add(listener);
    return () => this.#reloadedListeners.delete(listener);
  }

  /** Writes the present state as a checkpoint. */
  async checkpoint(): Promise<void> {
    this.#requireUsable();
    const seq = this.#seq;
    if (seq === 0 || seq === this.#checkpointSeq) return;
    // The state is encoded before anything is awaited: it is exactly the state after `seq`.
    const bytes = this.#machine.encodeCheckpoint(this.#state);
    await this.#journal.writeCheckpoint({ seq, bytes });
    this.#checkpointSeq = Math.max(this.#checkpointSeq, seq);
    this.#counts.checkpoints++;
  }

  /** Waits for what is under way; later calls throw TW_CLOSED. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#changes.run(async () => {});
    await this.#checkpointing;
  }

  stats(): Record<string, number> {
    return { seq: this.#seq, checkpointSeq: this.#checkpointSeq, ...this.#counts };
  }

  async #propose<R>(build: BuildProposal<S, R>): Promise<R> {
    for (;;) {
      this.#requireUsable();
      const seq = this.#seq + 1;
      const proposal = build(this.#state, seq);
      if (proposal.kind === 'done') return proposal.result;
      if (await this.#commit(seq, proposal)) {
        this.#checkpointIfDue();
        return proposal.result;
      }
      this.#counts.lost++;
      await this.#catchUp();
    }
  }

  /** Sends one entry until its fate at this number is known. False: another entry has the number, and has been applied. */
  async #commit(seq: number, entry: Entry): Promise<boolean> {
    let maybeWritten = false;
    let cause: unknown;
    for (let send = 0; send < MAX_SENDS; send++) {
      try {
        const outcome: CreateOutcome = await this.#journal.create(seq, entry.bytes);
        if (outcome.kind === 'ok') {
          this.#apply(seq, entry.bytes, true);
          return true;
        }
        // `exists` may be this very attempt, repeated by a layer below; `below-floor` may have counted before the floor passed it.
        maybeWritten = true;
        if (outcome.kind === 'unknown') {
          this.#counts.unknown++;
          cause = outcome.cause;
        }
        const verdict = await this.#settle(seq, entry);
        if (verdict !== 'absent') return verdict === 'mine';
      } catch (error) {
        if (!maybeWritten || this.#failure !== null) throw error;
        throw outcomeUnknown(seq, error);
      }
    }
    throw outcomeUnknown(seq, cause);
  }

  /** Learns what entry `seq` is by reading it, or below the floor from the checkpointed state (J2), and applies what it learned. */
  async #settle(seq: number, entry: Entry): Promise<Verdict> {
    const bytes = await this.#journal.read(seq);
    const floor = await this.#journal.floor();
    if (floor > seq) {
      await this.#reload();
      const settled = this.#machine.settled(this.#state, entry.writerId, entry.writerSequence);
      if (settled === undefined) throw outcomeUnknown(seq, null);
      return settled ? 'mine' : 'lost';
    }
    if (bytes === null) return 'absent';
    const own = equalBytes(bytes, entry.bytes);
    this.#apply(seq, bytes, own);
    return own ? 'mine' : 'lost';
  }

  /** The pair of J5 without waiting for a commit under way: when nothing follows the applied state, that state is the answer. */
  async #strongProbe(): Promise<void> {
    this.#requireUsable();
    const next = this.#seq + 1;
    const bytes = await this.#journal.read(next);
    if (bytes === null && (await this.#journal.floor()) <= next) return;
    await this.#changes.run(() => this.#catchUp());
  }

  /** Applies entries up to the head. An entry counts only while the floor, read after it, is not above it. */
  async #catchUp(): Promise<void> {
    for (;;) {
      this.#requireUsable();
      const run = await this.#readRun();
      if ((await this.#journal.floor()) > this.#seq + 1) {
        await this.#reload();
        continue;
      }
      for (const bytes of run.entries) this.#apply(this.#seq + 1, bytes, false);
      if (run.atHead) return;
    }
  }

  async #readRun(): Promise<{ entries: Uint8Array[]; atHead: boolean }> {
    const entries: Uint8Array[] = [];
    let size = 0;
    while (entries.length < MAX_RUN_ENTRIES && size < MAX_RUN_BYTES) {
      const bytes = await this.#journal.read(this.#seq + 1 + entries.length);
      if (bytes === null) return { entries, atHead: true };
      entries.push(bytes);
      size += bytes.length;
    }
    return { entries, atHead: false };
  }

  async #reload(): Promise<void> {
    const fromSeq = this.#seq;
    await this.#load();
    this.#counts.reloads++;
    for (const listener of this.#reloadedListeners) listener(fromSeq, this.#seq);
  }

  /** Takes the state from the newest checkpoint, which is at or above the floor's predecessor (J6). */
  async #load(): Promise<void> {
    for (let attempt = 0; attempt < MAX_LOADS; attempt++) {
      const checkpoint = await this.#journal.latestCheckpoint();
      const floor = await this.#journal.floor();
      const seq = checkpoint?.seq ?? 0;
      // Else the floor passed this checkpoint between the two reads, and a newer one is there.
      if (floor > seq + 1) continue;
      this.#state = checkpoint === null ? this.#machine.initial() : this.#machine.decodeCheckpoint(checkpoint.bytes);
      this.#seq = seq;
      this.#checkpointSeq = seq;
      return;
    }
    throw damaged('The journal has a floor, but no checkpoint that reaches it.');
  }

  #apply(seq: number, bytes: Uint8Array, own: boolean): void {
    try {
      this.#state = this.#machine.apply(this.#state, seq, bytes);
      this.#seq = seq;
      this.#counts.applied++;
      for (const listener of this.#appliedListeners) listener(seq, bytes, own);
    } catch (error) {
      // The state may be half changed: nothing may be answered from it any more.
      this.#failure = error;
      throw error;
    }
  }

  #checkpointIfDue(): void {
    if (this.#seq - this.#checkpointSeq < this.#checkpointEvery || this.#checkpointing !== null) return;
    const done = (): void => {
      this.#checkpointing = null;
    };
    // A checkpoint that fails only makes the next start longer; it is tried again after the next commit, and counted.
    this.#checkpointing = this.checkpoint()
      .catch(() => {
        this.#counts.failedCheckpoints++;
      })
      .then(done);
  }

  #requireUsable(): void {
    if (this.#failure !== null) throw asTailwaterError(this.#failure);
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
  }
}

function outcomeUnknown(seq: number, cause: unknown): TailwaterError {
  if (isTailwaterError(cause, 'TW_OUTCOME_UNKNOWN')) return cause;
  return new TailwaterError('TW_OUTCOME_UNKNOWN', { detail: `It is not known whether entry ${seq} was committed.`, cause });
}
