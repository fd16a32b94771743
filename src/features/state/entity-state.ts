import { Cell } from '../aggregate/cell.ts';
import type { ViewPlan } from '../plan.ts';
import { type Place, type Row, RowBlocks } from './row-blocks.ts';
import { isEmptyRange, type RowRange, rangeOf } from './window-range.ts';

/** A row that a newer version of its key replaces for every instant from `untilMs` on. */
export interface SupersededRow extends Row {
  untilMs: number;
}

/** What the windows of a view hold at an instant: by window, its measures in the order of the plan. */
export interface WindowCells {
  cells: Cell[][];
  /** No window has any event, filtered or not. */
  empty: boolean;
}

/** What a measure was found to be over a range. */
interface Folded {
  range: RowRange;
  cell: Cell;
}

/** The events of one entity, back to where the windows of the earliest instant that may be asked about begin. */
export class EntityState {
  readonly #plan: ViewPlan;
  readonly rows: RowBlocks;
  /** Replaced rows that some instant that may be asked about still sees. */
  #superseded: SupersededRow[] = [];
  /** By measure of lifetime windows: the rows that were given up. */
  #base: Cell[] | null = null;
  /** Rows before this may have been given up. */
  #horizonMs = Number.NEGATIVE_INFINITY;

  constructor(plan: ViewPlan, rows: RowBlocks) {
    this.#plan = plan;
    this.rows = rows;
  }

  get superseded(): readonly SupersededRow[] {
    return this.#superseded;
  }

  get base(): readonly Cell[] | null {
    return this.#base;
  }

  get horizonMs(): number {
    return this.#horizonMs;
  }

  /** What a checkpoint kept besides the rows. */
  restore(base: Cell[] | null, horizonMs: number, superseded: SupersededRow[]): void {
    this.#base = base;
    this.#horizonMs = horizonMs;
    this.#superseded = superseded;
  }

  get isEmpty(): boolean {
    return this.rows.size === 0 && this.#superseded.length === 0 && this.#base === null;
  }

  /** A late event from before all that is kept counts in lifetime windows only: no other window that may be asked for reaches it. */
  insert(row: Row): void {
    const { first } = this.rows;
    const isPast = row.timeMs < this.#horizonMs && (first === undefined || isOlder(row, first));
    if (!isPast) this.rows.insert(row);
    else if (this.#plan.lifetime.length > 0) this.#give(row);
  }

  /** Takes a row out for every instant from `untilMs` on. */
  supersede(row: Row, untilMs: number): SupersededRow | null {
    this.rows.remove(row);
    if (untilMs <= row.timeMs) return null;
    const superseded: SupersededRow = { ...row, untilMs };
    this.#superseded.push(superseded);
    return superseded;
  }

  /** Forgets what no window of an instant from `sinceMs` on sees; `reclaims`: rows that are not replaced may be given up. */
  forget(sinceMs: number, reclaims: boolean): void {
    if (this.#superseded.length > 0) this.#superseded = this.#superseded.filter(row => row.untilMs > sinceMs);
    const { first } = this.rows;
    const horizonMs = sinceMs - this.#plan.reachMs;
    if (!reclaims || first === undefined || first.timeMs >= horizonMs) return;
    const dropped = this.rows.dropBefore(horizonMs, this.#plan.rows);
    if (dropped.length === 0) return;
    this.#horizonMs = horizonMs;
    if (this.#plan.lifetime.length === 0) return;
    for (const row of dropped) this.#give(row);
    for (const cell of this.#base!) cell?.fold.forget?.(sinceMs);
  }

  #give(row: Row): void {
    this.#base ??= [];
    for (const measure of this.#plan.lifetime) {
      const { aggregation, input } = this.#plan.measures[measure];
      this.#base[measure] ??= new Cell(aggregation.create());
      const value = row.inputs[input];
      if (value !== null) this.#base[measure].add(value, row.timeMs, row.seq);
    }
  }

  /** Every window at an instant, from all that is known by now. */
  at(atMs: number): WindowCells {
    const rows = this.#rowsAt(atMs);
    const { windows } = this.#plan;
    const ranges = windows.map(({ window }) => rangeOf(window, rows, atMs));
    const cells = new Array<Cell[]>(windows.length);
    const folded: (Folded | undefined)[] = [];
    for (const index of shortestFirst(ranges)) {
      const { window, measures } = windows[index];
      const base = window.kind === 'lifetime' ? this.#base : null;
      cells[index] = measures.map(measure => {
        const cell = this.#fold(rows, measure, ranges[index], folded[measure]);
        // What was given up is in no other window.
        if (base === null) folded[measure] = { range: ranges[index], cell };
        else cell.merge(base[measure]);
        return cell;
      });
    }
    return { cells, empty: this.#base === null && ranges.every(range => isEmptyRange(range, rows)) };
  }

  /** A window that ends where a shorter one does is that one and the rows before it. */
  #fold(rows: RowBlocks, measure: number, range: RowRange, shorter: Folded | undefined): Cell {
    const cell = new Cell(this.#plan.measures[measure].aggregation.create());
    if (shorter !== undefined && isSamePlace(shorter.range.to, range.to)) {
      cell.merge(shorter.cell);
      rows.foldInto(cell, measure, range.from, shorter.range.from);
    } else rows.foldInto(cell, measure, range.from, range.to);
    return cell;
  }

  /** Instants before a replacement see the row that was replaced. */
  #rowsAt(atMs: number): RowBlocks {
    const seen = this.#superseded.filter(row => row.untilMs > atMs && row.timeMs <= atMs);
    if (seen.length === 0) return this.rows;
    const rows = [...this.rows, ...seen].sort((a, b) => a.timeMs - b.timeMs || a.seq - b.seq);
    return RowBlocks.of(this.#plan.measures, rows);
  }
}

/** Places of ranges, those that begin last first. */
function shortestFirst(ranges: readonly RowRange[]): number[] {
  return ranges
    .map((_, index) => index)
    .sort((a, b) => ranges[b].from.block - ranges[a].from.block || ranges[b].from.index - ranges[a].from.index);
}

function isSamePlace(a: Place, b: Place): boolean {
  return a.block === b.block && a.index === b.index;
}

function isOlder(a: Row, b: Row): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.seq < b.seq);
}
