import { type Clock, type Logger, Pace, TailwaterError } from '../base/index.ts';
import type { IndexableRow } from '../lakehouse/index.ts';
import { recordSeq, type StreamDefinition, type TailSnapshot } from '../streams/index.ts';
import { ResidentRows } from './resident-rows.ts';
import type { TableView } from './table-view.ts';

export interface ResidentSettings {
  /** Memory for the rows of small tables, all together. Default 512 MiB; 0: none is kept. */
  maxResidentBytes: number;
  /** Tables with more rows are searched in the table store only. Default 200,000. */
  maxResidentRows: number;
}

export const RESIDENT_DEFAULTS: ResidentSettings = { maxResidentBytes: 512 * 1024 * 1024, maxResidentRows: 200_000 };

/** Rows that are decoded in one go. */
const BATCH_ROWS = 256;
/** Longest time of uninterrupted computing. */
const SLICE_MS = 5;
/** What a row costs beside its vector, assumed before it is loaded. */
const ASSUMED_ROW_BYTES = 1_024;
/** Rows that are gone are dropped by loading anew when they are this many, and more than the rows that are left. */
const MAX_GONE_ROWS = 4_096;

/** Whose rows are kept: a stream on this node. */
export interface ResidentOwner {
  readonly definition: StreamDefinition;
  readonly view: TableView | null;
  readonly closed: boolean;
  /** Takes the rows of a view; false when that view is not the newest any more. */
  adopt(view: TableView, rows: ResidentRows): boolean;
  /** Gives the rows up. */
  evict(): void;
}

/** From one table state to a newer one; `tail` has the records between them. */
export interface TableStep {
  from: TableView;
  to: TableView;
  tail: TailSnapshot;
}

/**
 * Decides which tables have their rows in memory, within one budget, and loads them in the background, one after another. A table gets in when it
 * appears and there is room, or when it is searched; then those that were searched longest ago make room.
 */
export class ResidentTables {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #settings: ResidentSettings;
  /** Bytes per owner, the one searched longest ago first. */
  readonly #held = new Map<ResidentOwner, number>();
  readonly #waiting = new Map<ResidentOwner, { urgent: boolean }>();
  #running: Promise<void> | null = null;
  #loading: ResidentOwner | null = null;
  #closed = false;
  readonly #counts = { loads: 0, evictions: 0 };

  constructor(options: { clock: Clock; logger: Logger; settings?: Partial<ResidentSettings> }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#settings = { ...RESIDENT_DEFAULTS, ...options.settings };
  }

  stats(): Record<string, number> {
    return { tables: this.#held.size, bytes: this.#bytes(), waiting: this.#waiting.size, ...this.#counts };
  }

  /** A table has appeared or changed without its rows: they are loaded when there is room. */
  appeared(owner: ResidentOwner): void {
    this.#request(owner, false);
  }

  /** A search used the rows, or would have. */
  searched(owner: ResidentOwner): void {
    const bytes = this.#held.get(owner);
    if (bytes === undefined) this.#request(owner, true);
    else {
      this.#held.delete(owner);
      this.#held.set(owner, bytes);
    }
  }

  /**
   * The rows of the next table state, from those of the one before: what the tail gives up leaves or enters. Null when they do not follow
   * from each other; then `appeared` loads them.
   */
  follow(owner: ResidentOwner, rows: ResidentRows, step: TableStep): Promise<ResidentRows | null> {
    return this.#take(owner, async () => {
      const next = await this.#next(owner.definition, rows, step);
      return next === null || next.rowCount !== step.to.state.rowCount || !this.#fits(step.to) || tooManyGone(next) ? null : next;
    });
  }

  /** The rows of a table state that is about to be taken over, while the one before still serves; null when there is no room for them. */
  async enter(owner: ResidentOwner, view: TableView): Promise<ResidentRows | null> {
    if (!this.#mayEnter(owner, view)) return null;
    return this.#take(owner, () => this.#loaded(view));
  }

  /** Without its rows in memory a table is slower to search, no more: what goes wrong here must not keep a state from being taken over. */
  async #take(owner: ResidentOwner, obtain: () => Promise<ResidentRows | null>): Promise<ResidentRows | null> {
    const rows = await obtain().catch(error => this.#report(owner, error));
    if (rows === null || owner.closed) {
      this.#held.delete(owner);
      return null;
    }
    this.#held.set(owner, rows.bytes);
    this.#makeRoom(owner);
    return this.#held.has(owner) ? rows : null;
  }

  #report(owner: ResidentOwner, error: unknown): null {
    this.#logger.warn(
      { stream: owner.definition.name, error: String(error) },
      'The rows of a table could not be loaded into memory',
    );
    return null;
  }

  /** The owner gave its rows up, or is no more. */
  released(owner: ResidentOwner): void {
    this.#held.delete(owner);
    this.#waiting.delete(owner);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    await this.#running;
  }

  async #next({ kind }: StreamDefinition, rows: ResidentRows, { from, to, tail }: TableStep): Promise<ResidentRows | null> {
    if (from.state.nullVectors > 0 || to.state.nullVectors > 0) return null;
    if (from.state.logSeq === to.state.logSeq) return rows;
    const pace = new Pace(this.#clock, SLICE_MS);
    const leaving = kind === 'upsert' ? [...tail.shadowingKeys()].map(({ key }) => key) : [];
    const added = await collect(to, `_seq >= ${recordSeq(from.state.logSeq + 1, 0)}`, pace);
    return rows.next(leaving, added, pace);
  }

  #request(owner: ResidentOwner, urgent: boolean): void {
    const { view } = owner;
    // What is being loaded is looked at again if it is not the newest view by then.
    if (view === null || owner === this.#loading || !(urgent ? this.#mayHave(owner, view) : this.#mayEnter(owner, view))) return;
    const waiting = this.#waiting.get(owner);
    if (waiting) waiting.urgent ||= urgent;
    else this.#waiting.set(owner, { urgent });
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      this.#loading = null;
    });
  }

  /** Whether the rows are worth having, if others make room. */
  #mayHave(owner: ResidentOwner, view: TableView): boolean {
    return !this.#closed && !owner.closed && searchable(owner.definition) && this.#fits(view);
  }

  #mayEnter(owner: ResidentOwner, view: TableView): boolean {
    return this.#mayHave(owner, view) && this.#bytes() + assumedBytes(view) <= this.#settings.maxResidentBytes;
  }

  #fits(view: TableView): boolean {
    const { maxResidentBytes, maxResidentRows } = this.#settings;
    return view.state.rowCount <= maxResidentRows && assumedBytes(view) <= maxResidentBytes;
  }

  async #run(): Promise<void> {
    // The caller goes on first: what it does may be urgent, loading is not.
    await this.#clock.turn();
    for (let next = this.#mostUrgent(); next !== null; next = this.#mostUrgent()) {
      this.#waiting.delete(next);
      const owner = next;
      this.#loading = owner;
      await this.#load(owner).catch(error => this.#report(owner, error));
    }
  }

  #mostUrgent(): ResidentOwner | null {
    for (const [owner, { urgent }] of this.#waiting) if (urgent) return owner;
    return this.#waiting.keys().next().value ?? null;
  }

  async #load(owner: ResidentOwner): Promise<void> {
    const { view } = owner;
    if (view === null || !this.#mayHave(owner, view)) return;
    const rows = await this.#loaded(view);
    this.#loading = null;
    if (!owner.adopt(view, rows)) return this.appeared(owner);
    this.#held.set(owner, rows.bytes);
    this.#makeRoom(owner);
  }

  /** Throws TW_DATA_DAMAGED when the table does not have the rows that its state says. */
  async #loaded(view: TableView): Promise<ResidentRows> {
    this.#counts.loads++;
    const pace = new Pace(this.#clock, SLICE_MS);
    const all = await collect(view, null, pace);
    const rows = await ResidentRows.empty().next([], all, pace);
    if (rows?.rowCount === view.state.rowCount) return rows;
    throw new TailwaterError('TW_DATA_DAMAGED', {
      detail: `The table has ${all.length} rows, its state says ${view.state.rowCount}.`,
    });
  }

  /** Evicts what was searched longest ago, this owner last. */
  #makeRoom(owner: ResidentOwner): void {
    for (const held of [...this.#held.keys()].filter(each => each !== owner).concat(owner)) {
      if (this.#bytes() <= this.#settings.maxResidentBytes) return;
      this.#counts.evictions++;
      this.#held.delete(held);
      held.evict();
    }
  }

  #bytes(): number {
    let sum = 0;
    for (const bytes of this.#held.values()) sum += bytes;
    return sum;
  }
}

/** In log order: a scan has none. */
async function collect(view: TableView, where: string | null, pace: Pace): Promise<IndexableRow[]> {
  const rows: IndexableRow[] = [];
  for await (const batch of view.version.scanIndexable({ where, batchRows: BATCH_ROWS })) {
    rows.push(...batch);
    if (pace.due) await pace.rest();
  }
  return rows.sort((a, b) => a.row.seq - b.row.seq);
}

function searchable(definition: StreamDefinition): boolean {
  return definition.search !== null || definition.embed !== null;
}

function assumedBytes({ state }: TableView): number {
  return state.rowCount * (ASSUMED_ROW_BYTES + 4 * (state.schema.dimensions ?? 0));
}

function tooManyGone(rows: ResidentRows): boolean {
  return rows.goneCount > MAX_GONE_ROWS && rows.goneCount > rows.rowCount;
}
