import type { TableState } from '../lakehouse/index.ts';
import { type Segment, type StreamDefinition, StreamTail } from '../streams/index.ts';
import { ShadowedRows } from './shadowed-rows.ts';
import { openTableView, type TableAccess, type TableView } from './table-view.ts';

/** A stream on this node: its tail, the newest table state it knows, and how the two fit together. */
export class LiveStream {
  readonly definition: StreamDefinition;
  readonly tail: StreamTail;
  readonly #access: TableAccess;
  #view: TableView | null = null;
  #shadowed: ShadowedRows | null = null;
  #advancing: Promise<void> = Promise.resolve();
  readonly #waiters = new Set<() => void>();

  private constructor(definition: StreamDefinition, access: TableAccess) {
    this.definition = definition;
    this.tail = new StreamTail(definition);
    this.#access = access;
  }

  static async open(definition: StreamDefinition, access: TableAccess): Promise<LiveStream> {
    const stream = new LiveStream(definition, access);
    await stream.advance();
    return stream;
  }

  /** A stream that was created this very moment: it has no table. */
  static fresh(definition: StreamDefinition, access: TableAccess): LiveStream {
    return new LiveStream(definition, access);
  }

  /** The newest table state this node has opened. */
  get view(): TableView | null {
    return this.#view;
  }

  /** Null when nothing can be hidden: append streams, or no table yet. */
  get shadowed(): ShadowedRows | null {
    return this.#shadowed;
  }

  /** Segments at or below this are in the table of `view`. */
  get logSeq(): number {
    return this.#view?.state.logSeq ?? 0;
  }

  apply(segment: Segment): void {
    if (segment.seq <= this.logSeq) return;
    if (this.tail.append(segment) === 0) return;
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  /** Takes over the newest table state: opened whole before any read sees it; then the tail gives up what the table holds. */
  advance(): Promise<void> {
    const turn = this.#advancing.catch(() => {}).then(() => this.#takeOver());
    this.#advancing = turn;
    return turn;
  }

  async #takeOver(): Promise<void> {
    const state = await this.#access.states.latest();
    if (state === null || state.n === this.#view?.state.n) return;
    const view = await openTableView(this.#access, this.definition, state, this.#view);
    this.#swap(state, view);
  }

  /** The newest table state that holds nothing above the segment; null when there was no table yet. */
  async viewAt(segment: number): Promise<TableView | null> {
    const state = await this.#access.states.findBySeq(segment);
    return state === null ? null : openTableView(this.#access, this.definition, state, null);
  }

  /** Whether the version of this view will stay for at least the collector's grace time. */
  async keeps(view: TableView): Promise<boolean> {
    return (await this.#access.states.floor()) <= view.state.n;
  }

  #swap(state: TableState, view: TableView): void {
    this.#view = view;
    this.#shadowed = this.definition.kind === 'upsert' ? new ShadowedRows(this.definition, view) : null;
    this.tail.trim(state.logSeq);
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
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}
