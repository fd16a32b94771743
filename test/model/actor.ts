import { isTailwaterError } from '../../src/base/index.ts';
import { ObjectJournal } from '../../src/journal/object-journal.ts';
import { JournalReplica } from '../../src/journal/replica.ts';
import type { Contents } from './interned.ts';
import { appendOnce, type Ledger, ledgerMachine } from './ledger.ts';
import { CHECKPOINTS, ENTRIES, FLOOR, PREFIX } from './objects.ts';
import type { Action, Program } from './scope.ts';
import { SteppedStore, type Waiting } from './stepped-store.ts';

/** What a process did between two requests that the outside can tell. */
export type Outcome =
  | { kind: 'told'; id: string; sequence: number; what: 'acknowledged' | 'failed' | 'unknown' }
  /** A strong read of this client has been answered with this. */
  | { kind: 'read'; client: number; ids: string[] }
  /** The replica holds this at entry `seq`. */
  | { kind: 'holds'; ids: string[]; seq: number }
  /** Something that must never happen. */
  | { kind: 'broken'; reason: string };

/** A pending request. `opensRead`: the client whose strong read begins with it. */
export interface Call extends Waiting {
  opensRead: number | null;
}

const WRITES: Record<Action, number> = { open: 0, read: 0, append: ENTRIES, collect: ENTRIES | CHECKPOINTS | FLOOR };

/** One process: a replica of the real code, and the clients that use it. Everything it does follows from the replies it gets. */
export class Actor {
  readonly calls: Call[] = [];
  /** Since the last answer. */
  readonly outcomes: Outcome[] = [];
  /** Says all that the process still knows, when that takes few words (see `#forget`); else null. */
  digest: string | null = null;
  unfinished: number;
  readonly #program: Program;
  readonly #journal: ObjectJournal;
  /** Per client, the parts of the journal that it may still write to. */
  readonly #writes: number[];
  readonly #told: string[] = [];
  #replica: JournalReplica<Ledger> | null = null;
  #started = false;
  #opensRead: number | null = null;
  #sequence = 0;
  #collectionFailed = false;
  /** Whether a request of this process met a fault: only then may what it does fail. */
  #faulted = false;

  constructor(program: Program, contents: Contents) {
    this.#program = program;
    this.unfinished = program.clients.length;
    this.#writes = program.clients.map(writesOf);
    this.#journal = new ObjectJournal(new SteppedStore(contents, waiting => this.#submit(waiting)), PREFIX);
  }

  get writes(): number {
    return this.#writes.reduce((parts, of) => parts | of, 0);
  }

  /** Opens its replica on an empty store, unless the program says when to open it; then its clients begin. */
  async start(): Promise<void> {
    if (this.#program.clients[0][0] !== 'open') this.#replica = await JournalReplica.open(this.#journal, ledgerMachine);
    this.#started = true;
    for (const client of this.#program.clients.keys()) {
      this.#run(client)
        .catch(error => this.outcomes.push({ kind: 'broken', reason: String(error) }))
        .finally(() => this.#end());
    }
  }

  #end(): void {
    this.unfinished--;
    if (this.unfinished === 0 && !this.#program.exact) this.digest = 'done';
  }

  answer(call: number, reply: string): void {
    const [{ answer }] = this.calls.splice(call, 1);
    this.outcomes.length = 0;
    this.digest = null;
    if (reply === 'error' || reply === 'unknown') this.#faulted = true;
    answer(reply);
  }

  async #run(client: number): Promise<void> {
    const actions = this.#program.clients[client];
    for (const [index, action] of actions.entries()) {
      this.#writes[client] = writesOf(actions.slice(index));
      if (this.#program.clients.length > 1) await this.#begin(action === 'read' ? client : null);
      await this.#act(action, client, index);
      if (this.#replica !== null)
        this.outcomes.push({ kind: 'holds', ids: [...this.#replica.state.ids], seq: this.#replica.seq });
      if (index === actions.length - 1) this.#writes[client] = 0;
      else if (!this.#collectionFailed) this.#forget(`after ${index}: at ${this.#replica?.seq}, next ${this.#sequence}`);
    }
  }

  async #act(action: Action, client: number, index: number): Promise<void> {
    if (action === 'append') return this.#append(`${this.#program.name}.${index}`);
    try {
      if (action === 'collect') await this.#collect(client, index === this.#program.clients[client].length - 1);
      else await this.#read(action, client);
    } catch (error) {
      this.#allow(error, action === 'collect');
      if (action === 'collect') this.#collectionFailed = true;
    }
  }

  async #append(id: string): Promise<void> {
    for (let attempt = 0; attempt <= this.#program.retries; attempt++) {
      const sequence = this.#sequence++;
      try {
        const built = (seq: number, nonce: number): void => this.#forget(`build ${id}, ${sequence}, for ${seq}, ${nonce}`);
        await this.#replica!.propose(appendOnce(id, this.#program.name, sequence, built));
        return this.#tell(id, sequence, 'acknowledged');
      } catch (error) {
        this.#allow(error, true);
        const unknown = isTailwaterError(error, 'TW_OUTCOME_UNKNOWN');
        this.#tell(id, sequence, unknown ? 'unknown' : 'failed');
        if (!unknown) return;
      }
    }
  }

  async #read(action: 'open' | 'read', client: number): Promise<void> {
    // One client: its read begins, at the latest, when its first request takes effect. Several: it began when it was asked for.
    if (this.#program.clients.length === 1) this.#opensRead = client;
    if (action === 'open') this.#replica = await JournalReplica.open(this.#journal, ledgerMachine);
    else await this.#replica?.refresh();
    if (this.#replica !== null) this.outcomes.push({ kind: 'read', client, ids: [...this.#replica.state.ids] });
  }

  /** As the log shard does it: checkpoint, then floor, then collection. */
  async #collect(client: number, last: boolean): Promise<void> {
    const replica = this.#replica!;
    await replica.refresh();
    await replica.checkpoint();
    await this.#journal.raiseFloor(replica.seq + 1);
    if (last) this.#writes[client] &= ~FLOOR;
    await this.#journal.collect();
  }

  /** A client asks its process for something; the explorer decides when. */
  #begin(opensRead: number | null): Promise<void> {
    return new Promise(resolve => {
      this.calls.push({ request: { kind: 'begin' }, opensRead, answer: () => resolve() });
    });
  }

  #tell(id: string, sequence: number, what: 'acknowledged' | 'failed' | 'unknown'): void {
    this.#told.push(what);
    this.outcomes.push({ kind: 'told', id, sequence, what });
  }

  #submit(waiting: Waiting): void {
    if (!this.#started) {
      waiting.answer(waiting.request.kind === 'list' ? '' : 'none');
      return;
    }
    this.calls.push({ ...waiting, opensRead: this.#opensRead });
    this.#opensRead = null;
  }

  /**
   * At some points the code holds no more than can be said in few words: between two actions, and when an append is built, a replica is
   * its state and number. These words then stand for the process, and not how it came there. Not with several clients, of which each may
   * be anywhere; not after a failed collection, when it may hold an older checkpoint.
   */
  #forget(words: string): void {
    if (this.#program.exact || this.#program.clients.length > 1) return;
    const state = JSON.stringify(this.#replica?.state);
    this.digest = `${words}, ${state}, ${this.#told.join()}, ${this.#faulted}`;
  }

  #allow(error: unknown, unknownToo: boolean): void {
    const unavailable = isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE');
    const unknown = unknownToo && isTailwaterError(error, 'TW_OUTCOME_UNKNOWN');
    if (!this.#faulted || !(unavailable || unknown)) throw error;
  }
}

function writesOf(actions: readonly Action[]): number {
  return actions.reduce((parts, action) => parts | WRITES[action], 0);
}
