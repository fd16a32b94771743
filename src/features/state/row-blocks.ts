import { Cell } from '../aggregate/cell.ts';
import type { Input } from '../aggregate/fold.ts';
import type { MeasurePlan } from '../plan.ts';

/** What is kept of an event of an entity. */
export interface Row {
  timeMs: number;
  seq: number;
  inputs: readonly (Input | null)[];
}

/** A place between rows: before row `index` of a block. */
export interface Place {
  block: number;
  index: number;
}

interface Block {
  /** Sorted by (timeMs, seq); never empty. */
  rows: Row[];
  /** By measure; absent: not computed since the rows changed. */
  cells: Cell[];
  /** The widest gap between two rows that follow each other here; -1: not computed. */
  gapMs: number;
}

export const BLOCK_ROWS = 64;
/** Blocks of one summary are 8, 64, 512, … */
const FANOUT_BITS = 3;
const FANOUT = 1 << FANOUT_BITS;

/**
 * Rows in order of (event time, ingest position), in blocks of at most 64, with aggregations of each block, of 8 blocks, of 64 and so on, computed
 * when first asked for. A range of rows is then a few rows at its edges and a few such summaries, exact to the row. A row that comes or goes
 * anywhere only drops the summaries it is in.
 */
export class RowBlocks {
  readonly #measures: readonly MeasurePlan[];
  #blocks: Block[] = [];
  /** `#levels[l][j]`: by measure, the blocks [j 8^(l+1), (j+1) 8^(l+1)). */
  #levels: (Cell[] | undefined)[][] = [];
  #size = 0;

  readonly #blockRows: number;

  /** `blockRows`: rows of a block at most. */
  constructor(measures: readonly MeasurePlan[], blockRows = BLOCK_ROWS) {
    this.#measures = measures;
    this.#blockRows = blockRows;
  }

  /** Rows that are sorted. */
  static of(measures: readonly MeasurePlan[], rows: readonly Row[], blockRows = BLOCK_ROWS): RowBlocks {
    const blocks = new RowBlocks(measures, blockRows);
    for (let at = 0; at < rows.length; at += blockRows) {
      blocks.#blocks.push({ rows: rows.slice(at, at + blockRows), cells: [], gapMs: -1 });
    }
    blocks.#size = rows.length;
    return blocks;
  }

  get size(): number {
    return this.#size;
  }

  get start(): Place {
    return { block: 0, index: 0 };
  }

  get first(): Row | undefined {
    return this.#blocks[0]?.rows[0];
  }

  *[Symbol.iterator](): Generator<Row> {
    for (const block of this.#blocks) yield* block.rows;
  }

  find(timeMs: number, seq: number): Row | undefined {
    const at = this.#blockOf(timeMs, seq);
    const row = at < 0 ? undefined : this.#blocks[at].rows[placeIn(this.#blocks[at].rows, timeMs, seq)];
    return row?.seq === seq && row.timeMs === timeMs ? row : undefined;
  }

  insert(row: Row): void {
    this.#size++;
    const last = this.#blocks.length - 1;
    if (last < 0 || this.#startsBlock(row, last)) {
      this.#blocks.push({ rows: [row], cells: [], gapMs: -1 });
      return;
    }
    const at = Math.max(0, this.#blockOf(row.timeMs, row.seq));
    const { rows } = this.#blocks[at];
    rows.splice(placeIn(rows, row.timeMs, row.seq), 0, row);
    if (rows.length > this.#blockRows) this.#split(at);
    else this.#touch(at);
  }

  /** Events mostly come in order: then blocks are filled, not halved. */
  #startsBlock(row: Row, last: number): boolean {
    const { rows } = this.#blocks[last];
    return rows.length >= this.#blockRows && isBefore(rows[rows.length - 1], row.timeMs, row.seq);
  }

  #split(at: number): void {
    const { rows } = this.#blocks[at];
    const half = rows.splice(rows.length >> 1);
    this.#touch(at);
    this.#blocks.splice(at + 1, 0, { rows: half, cells: [], gapMs: -1 });
    this.#moved(at);
  }

  remove(row: Row): void {
    const at = Math.max(0, this.#blockOf(row.timeMs, row.seq));
    const { rows } = this.#blocks[at];
    rows.splice(placeIn(rows, row.timeMs, row.seq), 1);
    this.#size--;
    if (rows.length > 0) this.#touch(at);
    else {
      this.#blocks.splice(at, 1);
      this.#moved(at);
    }
  }

  /** Gives up whole blocks of rows before `timeMs` at the start, but keeps `keep` of such rows; returns them. */
  dropBefore(timeMs: number, keep: number): Row[] {
    let blocks = 0;
    let rows = 0;
    const before = keep === 0 ? Number.POSITIVE_INFINITY : this.countUpTo(this.before(timeMs));
    for (const block of this.#blocks) {
      if (block.rows[block.rows.length - 1].timeMs >= timeMs || before - rows - block.rows.length < keep) break;
      rows += block.rows.length;
      blocks++;
    }
    // Every index changes, and with them all summaries: worth it for a good part only.
    if (blocks === 0 || blocks * 4 < this.#blocks.length) return [];
    const dropped = this.#blocks.splice(0, blocks).flatMap(block => block.rows);
    this.#size -= dropped.length;
    this.#levels = [];
    return dropped;
  }

  #touch(block: number): void {
    this.#blocks[block].cells = [];
    this.#blocks[block].gapMs = -1;
    this.#levels.forEach((level, number) => {
      level[block >> ((number + 1) * FANOUT_BITS)] = undefined;
    });
  }

  /** Blocks from here on have other numbers. */
  #moved(block: number): void {
    this.#levels.forEach((level, number) => {
      const first = block >> ((number + 1) * FANOUT_BITS);
      if (level.length > first) level.length = first;
    });
  }

  /** The last block that begins at or before; -1: none. */
  #blockOf(timeMs: number, seq: number): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const first = this.#blocks[middle].rows[0];
      if (first.timeMs < timeMs || (first.timeMs === timeMs && first.seq <= seq)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Before every row of this time or later. */
  before(timeMs: number): Place {
    return this.#place(timeMs, Number.NEGATIVE_INFINITY);
  }

  /** After every row of this time or earlier. */
  after(timeMs: number): Place {
    return this.#place(timeMs, Number.POSITIVE_INFINITY);
  }

  #place(timeMs: number, seq: number): Place {
    const block = this.#blockOf(timeMs, seq);
    return block < 0 ? this.start : { block, index: placeIn(this.#blocks[block].rows, timeMs, seq) };
  }

  /** Before the row of this number, of rows that never changed since `of`. */
  placeOf(row: number): Place {
    return { block: Math.floor(row / this.#blockRows), index: row % this.#blockRows };
  }

  countUpTo({ block, index }: Place): number {
    let count = index;
    for (let at = 0; at < block; at++) count += this.#blocks[at].rows.length;
    return count;
  }

  /** So many rows before a place; the start when there are not as many. */
  back(from: Place, count: number): Place {
    let { block, index } = from;
    let left = count;
    while (left > index) {
      if (block === 0) return this.start;
      left -= index;
      block--;
      index = this.#blocks[block].rows.length;
    }
    return { block, index: index - left };
  }

  /** The start of the run of rows before a place that has no gap longer than `gapMs`; it does not go beyond `limit`. */
  runBefore(from: Place, gapMs: number, limit: Place): Place {
    let { block, index } = from;
    let next = Number.POSITIVE_INFINITY;
    for (;;) {
      const whole = index === this.#blocks[block]?.rows.length && block > limit.block && this.#gapOf(block) <= gapMs;
      if (block < limit.block || (block === limit.block && index <= limit.index)) return limit;
      if (index === 0) {
        block--;
        index = this.#blocks[block].rows.length;
        continue;
      }
      const { rows } = this.#blocks[block];
      if (next - rows[index - 1].timeMs > gapMs && next !== Number.POSITIVE_INFINITY) return { block, index };
      index = whole ? 0 : index - 1;
      next = rows[index].timeMs;
    }
  }

  #gapOf(at: number): number {
    const block = this.#blocks[at];
    if (block.gapMs < 0) {
      block.gapMs = 0;
      for (let index = 1; index < block.rows.length; index++) {
        block.gapMs = Math.max(block.gapMs, block.rows[index].timeMs - block.rows[index - 1].timeMs);
      }
    }
    return block.gapMs;
  }

  rowBefore({ block, index }: Place): Row | undefined {
    if (index > 0) return this.#blocks[block].rows[index - 1];
    return this.#blocks[block - 1]?.rows.at(-1);
  }

  /** Adds what a measure takes of the rows from one place to another. */
  foldInto(cell: Cell, measure: number, from: Place, to: Place): void {
    let { block } = from;
    if (block === to.block) {
      this.#foldPart(cell, measure, block, from.index, to.index);
      return;
    }
    if (from.index > 0) {
      this.#foldPart(cell, measure, block, from.index, this.#blocks[block].rows.length);
      block++;
    }
    while (block < to.block) {
      const level = levelAt(block, to.block);
      cell.merge(this.#cellOf(level, block >> (level * FANOUT_BITS), measure));
      block += 1 << (level * FANOUT_BITS);
    }
    this.#foldPart(cell, measure, to.block, 0, to.index);
  }

  /** The newest block, which windows that end now take whole, is summed up once for all of them. */
  #foldPart(cell: Cell, measure: number, block: number, from: number, to: number): void {
    if (from >= to) return;
    if (from === 0 && to === this.#blocks[block].rows.length) cell.merge(this.#cellOf(0, block, measure));
    else this.#foldRows(cell, this.#measures[measure].input, block, from, to);
  }

  #foldRows(cell: Cell, input: number, block: number, from: number, to: number): void {
    const { rows } = this.#blocks[block];
    for (let index = from; index < to; index++) {
      const row = rows[index];
      const value = row.inputs[input];
      if (value !== null) cell.add(value, row.timeMs, row.seq);
    }
  }

  /** Level 0 is a block. */
  #cellOf(level: number, number: number, measure: number): Cell {
    const cells = level === 0 ? this.#blocks[number].cells : this.#nodeCells(level, number);
    const known = cells[measure];
    if (known !== undefined) return known;
    const { aggregation, input } = this.#measures[measure];
    const cell = new Cell(aggregation.create());
    if (level === 0) this.#foldRows(cell, input, number, 0, this.#blocks[number].rows.length);
    else {
      const first = number << FANOUT_BITS;
      for (let child = first; child < first + FANOUT; child++) cell.merge(this.#cellOf(level - 1, child, measure));
    }
    cells[measure] = cell;
    return cell;
  }

  #nodeCells(level: number, number: number): Cell[] {
    this.#levels[level - 1] ??= [];
    this.#levels[level - 1][number] ??= [];
    return this.#levels[level - 1][number]!;
  }
}

/** The largest summary that begins at a block and ends at or before another. */
function levelAt(block: number, end: number): number {
  let level = 0;
  for (;;) {
    const size = 1 << ((level + 1) * FANOUT_BITS);
    if ((block & (size - 1)) !== 0 || block + size > end) return level;
    level++;
  }
}

function isBefore(row: Row, timeMs: number, seq: number): boolean {
  return row.timeMs < timeMs || (row.timeMs === timeMs && row.seq < seq);
}

/** How many rows are before (timeMs, seq). */
function placeIn(rows: readonly Row[], timeMs: number, seq: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(rows[middle], timeMs, seq)) low = middle + 1;
    else high = middle;
  }
  return low;
}
