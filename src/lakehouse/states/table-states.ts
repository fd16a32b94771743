import { TailwaterError } from '../../base/index.ts';
import { type Journal, ObjectJournal } from '../../journal/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { TableState } from '../table-types.ts';
import { decodeTableState, encodeTableState } from './codec.ts';
import { expiredCount } from './expired.ts';
import { StateCache } from './state-cache.ts';

/** How often an unknown outcome is tried again, with identical bytes, before it is reported. */
const SETTLE_ATTEMPTS = 4;

/**
 * The table-state journal of one stream life, at `tables/{incarnation}/state`. Every entry is a whole state, so a
 * reader needs no checkpoint: it starts anywhere. Creating entry n is the commit of state n (C1).
 */
export class TableStates {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #journal: Journal;
  readonly #incarnation: string;
  readonly #cache = new StateCache();
  /** The newest number known to exist; 0: none known. */
  #known = 0;
  #probing: Promise<TableState | null> | null = null;
  #waiting: Promise<TableState | null> | null = null;
  #probes = 0;

  constructor(store: ObjectStore, incarnation: string) {
    this.#store = store;
    this.#prefix = `tables/${incarnation}/state`;
    this.#journal = new ObjectJournal(store, this.#prefix);
    this.#incarnation = incarnation;
  }

  /**
   * The newest state committed before the call, by anyone; null when there is none. Costs a probe of the next number and a read of
   * the floor. Calls that arrive while a probe is on its way share the one after it (J5).
   */
  latest(): Promise<TableState | null> {
    if (this.#waiting) return this.#waiting;
    if (this.#probing === null) return this.#probe();
    const next = this.#probing
      .catch(() => null)
      .then(() => {
        this.#waiting = null;
        return this.#probe();
      });
    this.#waiting = next;
    return next;
  }

  /** Null when there is no such state (yet, or any more). */
  async read(n: number): Promise<TableState | null> {
    if (n < 1) return null;
    const cached = this.#cache.get(n);
    if (cached) return cached;
    const bytes = await this.#journal.read(n);
    if (bytes === null) return null;
    const state = decodeTableState(bytes, this.#incarnation, n);
    this.#cache.set(state);
    this.#known = Math.max(this.#known, n);
    return state;
  }

  /**
   * Creates entry `next.n`. 'lost': another state has this number. An unknown outcome is settled by reading the entry back and
   * looking for our attemptId (C4), and by repeating the identical create; throws TW_OUTCOME_UNKNOWN when neither settles it.
   */
  async commit(next: TableState): Promise<'ok' | 'lost'> {
    const bytes = encodeTableState(next);
    let unknown: unknown;
    for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
      try {
        const settled = await this.#attempt(next, bytes);
        if (settled.kind !== 'unknown') return settled.kind;
        unknown = settled.cause;
      } catch (error) {
        // Certainly not written, but only this time: an earlier attempt may still have been.
        if (attempt === 0) throw error;
        unknown = error;
      }
    }
    throw new TailwaterError('TW_OUTCOME_UNKNOWN', {
      detail: `It is not known whether table state ${next.n} was committed.`,
      cause: unknown,
    });
  }

  /**
   * The newest state that holds no record of a segment above `logSeq`, and of which no more than `maxExpired` records had expired; null when
   * there was no table yet. Throws TW_HISTORY_EXPIRED.
   */
  findBySeq(logSeq: number, maxExpired = Number.POSITIVE_INFINITY): Promise<TableState | null> {
    return this.#newestWhere(state => state.logSeq <= logSeq && expiredCount(state) <= maxExpired);
  }

  /**
   * How many records had expired at an instant: when state `n` was the newest or, if that is not known or not kept any more, at a time. A
   * later state must not answer for the instant if more have. Throws TW_HISTORY_EXPIRED when nothing that is kept tells.
   */
  async expiredAt(n: number | null, timeMs: number | null): Promise<number> {
    const latest = await this.latest();
    if (latest === null || expiredCount(latest) === 0) return 0;
    const floor = await this.#journal.floor();
    const named = n === null || n < floor ? null : await this.read(n);
    if (named !== null) return expiredCount(named);
    const then = timeMs === null ? null : await this.#newestBetween(floor, state => state.committedAtMs <= timeMs);
    if (then !== null) return expiredCount(then);
    const oldest = await this.#mustRead(floor);
    if (floor === 1) return 0;
    // Superseded versions may be gone, which stream reads say; the rows are those of the instant.
    if ((oldest.expired?.rows ?? 0) === 0) return expiredCount(oldest);
    throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `Records have expired since; the oldest table state is ${floor}.` });
  }

  /** The newest state that holds no record committed to the log after `timeMs`; as `findBySeq`. */
  findByTime(timeMs: number): Promise<TableState | null> {
    return this.#newestWhere(state => state.logTimeMs <= timeMs);
  }

  /** The lowest state kept. */
  floor(): Promise<number> {
    return this.#journal.floor();
  }

  /** The state that a read at `keepFromMs` opens: the newest committed at or before it. Null when none was. Whatever came before it is history. */
  async oldestNeeded(keepFromMs: number): Promise<TableState | null> {
    return this.#newestBetween(await this.#journal.floor(), state => state.committedAtMs <= keepFromMs);
  }

  /** Gives up the states before this one (J4): the floor is durable when this returns. Nothing is deleted before `collect`. */
  async raiseFloor(oldest: TableState): Promise<void> {
    await this.#journal.writeCheckpoint({ seq: oldest.n, bytes: encodeTableState(oldest) });
    await this.#journal.raiseFloor(oldest.n);
  }

  /** Whether entries below the floor wait to be deleted. They are deleted last of all that only their states name. */
  async hasGarbage(): Promise<boolean> {
    const [lowest] = await this.#store.list(`${this.#prefix}/entries/`, { limit: 1 });
    if (lowest === undefined) return false;
    return Number(lowest.key.slice(lowest.key.lastIndexOf('/') + 1)) < (await this.#journal.floor());
  }

  /** Deletes the entries below the floor. */
  async collect(): Promise<void> {
    await this.#journal.collect();
  }

  /** Every state from the floor to the newest, oldest first. */
  async *kept(): AsyncGenerator<TableState> {
    const latest = await this.latest();
    if (latest === null) return;
    for (let n = await this.#journal.floor(); n <= latest.n; n++) yield await this.#mustRead(n);
  }

  stats(): Record<string, number> {
    return { known: this.#known, cached: this.#cache.size, probes: this.#probes };
  }

  #probe(): Promise<TableState | null> {
    const probe = this.#head().finally(() => {
      if (this.#probing === probe) this.#probing = null;
    });
    this.#probing = probe;
    return probe;
  }

  /** J5: not found at n + 1 means head only if the floor, read after that probe, is not above n + 1; else we fell behind. */
  async #head(): Promise<TableState | null> {
    for (;;) {
      this.#probes++;
      const head = await this.#gallop(this.#known);
      const floor = await this.#journal.floor();
      if (floor <= head + 1) return head === 0 ? null : this.#mustRead(head);
      this.#known = floor - 1;
      // Gone since: the floor rose again while this process stood still.
      if ((await this.read(floor)) === null && (await this.#journal.floor()) === floor) throw this.#missing(floor);
    }
  }

  /**
   * The highest existing number at or above `from` (which exists, or is one below the floor): doubling steps, then bisection. The second
   * step is as short as the first, since mostly one state is new: then two reads tell.
   */
  async #gallop(from: number): Promise<number> {
    let low = from;
    let step = 1;
    for (let found = 1; (await this.read(low + step)) !== null; found *= 2) {
      low += step;
      step = found;
    }
    let high = low + step;
    while (high - low > 1) {
      const middle = low + Math.floor((high - low) / 2);
      if ((await this.read(middle)) === null) high = middle;
      else low = middle;
    }
    return low;
  }

  async #attempt(next: TableState, bytes: Uint8Array): Promise<{ kind: 'ok' | 'lost' } | { kind: 'unknown'; cause: unknown }> {
    const outcome = await this.#journal.create(next.n, bytes);
    if (outcome.kind === 'ok') return this.#won(next);
    if (outcome.kind === 'below-floor') return { kind: 'lost' };
    try {
      const found = await this.read(next.n);
      if (found === null) return { kind: 'unknown', cause: outcome };
      const counts = found.attemptId === next.attemptId && (await this.#journal.floor()) <= next.n;
      return counts ? this.#won(next) : { kind: 'lost' };
    } catch (cause) {
      return { kind: 'unknown', cause };
    }
  }

  #won(state: TableState): { kind: 'ok' } {
    this.#cache.set(state);
    this.#known = Math.max(this.#known, state.n);
    return { kind: 'ok' };
  }

  async #newestWhere(accept: (state: TableState) => boolean): Promise<TableState | null> {
    const latest = await this.latest();
    if (latest === null || accept(latest)) return latest;
    const floor = await this.#journal.floor();
    const found = await this.#newestBetween(floor, accept);
    if (found === null && floor > 1) {
      throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `The oldest table state that is kept is ${floor}.` });
    }
    return found;
  }

  /** Bisection over [floor, known]: `accept` holds for a prefix of them. Null when it holds for none. */
  async #newestBetween(floor: number, accept: (state: TableState) => boolean): Promise<TableState | null> {
    const latest = await this.latest();
    let low = floor - 1;
    let high = (latest?.n ?? 0) + 1;
    let found: TableState | null = null;
    while (high - low > 1) {
      const middle = low + Math.floor((high - low) / 2);
      const state = await this.#mustRead(middle);
      if (accept(state)) {
        found = state;
        low = middle;
      } else {
        high = middle;
      }
    }
    return found;
  }

  async #mustRead(n: number): Promise<TableState> {
    const state = await this.read(n);
    if (state !== null) return state;
    if ((await this.#journal.floor()) > n) {
      throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `Table state ${n} is no longer kept.` });
    }
    throw this.#missing(n);
  }

  #missing(n: number): TailwaterError {
    return new TailwaterError('TW_DATA_DAMAGED', { detail: `Table state ${n} of ${this.#incarnation} is missing.` });
  }
}
