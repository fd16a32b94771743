import type { Pin, Pins } from '../journal/index.ts';
import { lacksTextIndex, pinState, type TableState, type TableStates, type TableTag, TableTags } from '../lakehouse/index.ts';
import { type Segment, type StreamDefinition, StreamTail } from '../streams/index.ts';
import type { ResidentRows } from './resident-rows.ts';
import type { ResidentOwner, ResidentTables } from './resident-tables.ts';
import { ShadowedRows } from './shadowed-rows.ts';
import { openTableView, type TableAccess, type TableView } from './table-view.ts';

/** A tail above this is trimmed at the next chance. */
const MAX_WAITING_ROWS = 250_000;
const MAX_WAITING_BYTES = 512 * 1024 * 1024;

/** A stream on this node: its tail, the newest table state it knows, and how the two fit together. */
export class LiveStream implements ResidentOwner {
  #definition: StreamDefinition;
  readonly tail: StreamTail;
  /** The names that past instants of this stream have. */
  readonly tags: TableTags;
  readonly #access: TableAccess;
  readonly #residents: ResidentTables;
  #view: TableView | null = null;
  #newestState: TableState | null = null;
  #shadowed: ShadowedRows | null = null;
  #resident: ResidentRows | null = null;
  #advancing: Promise<void> = Promise.resolve();
  readonly #waiters = new Set<() => void>();
  #closed = false;

  private constructor(definition: StreamDefinition, access: TableAccess, residents: ResidentTables) {
    this.#definition = definition;
    this.tail = new StreamTail(definition);
    this.tags = new TableTags(access.store, definition.incarnation);
    this.#access = access;
    this.#residents = residents;
  }

  static async open(definition: StreamDefinition, access: TableAccess, residents: ResidentTables): Promise<LiveStream> {
    const stream = new LiveStream(definition, access, residents);
    await stream.advance();
    return stream;
  }

  /** A stream that was created this very moment: it has no table. */
  static fresh(definition: StreamDefinition, access: TableAccess, residents: ResidentTables): LiveStream {
    return new LiveStream(definition, access, residents);
  }

  get definition(): StreamDefinition {
    return this.#definition;
  }

  /** Settings of the stream were changed. */
  redefine(definition: StreamDefinition): void {
    this.#definition = definition;
  }

  /** The newest table state this node has opened. */
  get view(): TableView | null {
    return this.#view;
  }

  /** Null when nothing can be hidden: append streams, or no table yet. */
  get shadowed(): ShadowedRows | null {
    return this.#shadowed;
  }

  /** The newest table state this node knows of; `view` may be of one before. */
  get newestState(): TableState | null {
    return this.#newestState;
  }

  /** The rows of `view` in memory; null when they are not kept. */
  get resident(): ResidentRows | null {
    return this.#resident;
  }

  get states(): TableStates {
    return this.#access.states;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether someone waits for its next record. */
  get isAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  adopt(view: TableView, rows: ResidentRows): boolean {
    if (this.#closed || this.#view !== view) return false;
    this.#resident = rows;
    return true;
  }

  evict(): void {
    this.#resident = null;
  }

  /** Segments at or below this are in the table of `view`. */
  get logSeq(): number {
    return this.#view?.state.logSeq ?? 0;
  }

  apply(segment: Segment): void {
    if (segment.seq > this.logSeq) this.tail.append(segment);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  /**
   * Takes over the newest table state: opened whole before any read sees it; then the tail gives up what the table holds. With `patient`
   * a state whose texts would be slow to search is left until its index is there: the tail, which has the same rows, goes on serving them.
   */
  advance(options: { patient: boolean } = { patient: false }): Promise<void> {
    const turn = this.#advancing.catch(() => {}).then(() => this.#takeOver(options.patient));
    this.#advancing = turn;
    return turn;
  }

  /** Segments below the log's floor never come any more: the newest table state holds their records, and the tail begins at the floor. */
  async rejoin(floor: number): Promise<void> {
    // Rows in memory follow a table by the tail's records, of which some are missing.
    this.evict();
    await this.advance();
    this.tail.skip(floor - 1, this.logSeq);
  }

  async #takeOver(patient: boolean): Promise<void> {
    const state = await this.#access.states.latest();
    this.#newestState = state;
    if (state === null || state.n === this.#view?.state.n || (patient && this.#isBetterLeft(state))) return;
    const view = await openTableView(this.#access, this.definition, state, this.#view);
    const resident = await this.#residentOf(view);
    // Searches go on in the view before until this one is as quick.
    if (resident === null && this.#view !== null) await view.version.warm();
    this.#swap(view, resident);
    if (this.#resident === null) this.#residents.appeared(this);
  }

  #isBetterLeft(state: TableState): boolean {
    return (
      this.#resident === null &&
      this.tail.lastSegment >= state.logSeq &&
      this.tail.rows <= MAX_WAITING_ROWS &&
      this.tail.bytes <= MAX_WAITING_BYTES &&
      lacksTextIndex(this.definition, state)
    );
  }

  async #residentOf(view: TableView): Promise<ResidentRows | null> {
    const before = this.#view;
    if (before !== null && this.#resident !== null) {
      const tail = this.tail.snapshot(before.state.logSeq, view.state.logSeq);
      const rows = await this.#residents.follow(this, this.#resident, { from: before, to: view, tail });
      if (rows !== null) return rows;
    }
    // Searches go on in the tail meanwhile. A node that has just started has none of these rows in its tail, and loads them later.
    return this.tail.lastSegment >= view.state.logSeq ? this.#residents.enter(this, view) : null;
  }

  /** The newest table state that holds nothing above the segment, and had as little expired; null when there was no table yet. */
  async viewAt(segment: number, maxExpired: number): Promise<TableView | null> {
    const state = await this.#access.states.findBySeq(segment, maxExpired);
    return state === null ? null : openTableView(this.#access, this.definition, state, null);
  }

  /** What a tag keeps. */
  taggedView(tag: TableTag): Promise<TableView> {
    return openTableView(this.#access, this.definition, tag.state, this.#view);
  }

  /** Whether the version of this view will stay for at least the collector's grace time. */
  async keeps(view: TableView): Promise<boolean> {
    return (await this.#access.states.floor()) <= view.state.n;
  }

  /** Keeps a state for as long as the pin lasts (J9), whatever else keeps it now. Throws TW_HISTORY_EXPIRED when it is gone. */
  pin(pins: Pins, state: TableState, ttlMs: number): Promise<Pin> {
    return pinState(pins, this.#access.states, this.tags, state, ttlMs);
  }

  #swap(view: TableView, resident: ResidentRows | null): void {
    this.#view = view;
    this.#resident = resident;
    this.#shadowed = this.definition.kind === 'upsert' ? new ShadowedRows(this.definition, view) : null;
    this.tail.trim(view.state.logSeq);
    // Another node may have compacted records that this one has not applied yet.
    this.#wake();
  }

  /** Resolves at the next record of this stream, or when the signal aborts. */
  nextRecord(signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        this.#waiters.delete(wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  /** Ends every wait, when the stream is deleted or the node stops. */
  close(): void {
    this.#closed = true;
    this.#residents.released(this);
    this.#wake();
  }
}
