import type { Segment, SegmentBatch } from '../segment-types.ts';
import { grownTo } from './growable.ts';
import { CHUNK_ROWS, ROW } from './row-flags.ts';
import { TextIndex } from './text-index.ts';
import { ValueIndexes } from './value-index.ts';
import { VectorBlock } from './vector-block.ts';

/** A chunk takes no further batch beyond this, so that trimming can release big records soon. */
const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
/** What a row costs beside its bytes: positions in its batch and flags; in upsert streams also its key and links. */
const BYTES_PER_ROW = 40;
const BYTES_PER_KEYED_ROW = 160;

/** Neighbouring records of one batch, as rows [row, row + count) of a chunk. */
export interface Piece {
  row: number;
  count: number;
  /** Index in the batch of the first of them. */
  index: number;
  /** Without parsed values. */
  batch: SegmentBatch;
  /** Without the batches of other streams. */
  segment: Segment;
}

/** Sums over rows that win: neither superseded nor deletions. */
export interface Totals {
  rows: number;
  documents: number;
  tokens: number;
  /** Rows whose vector has not arrived. */
  missing: number;
}

/** Up to 8,192 consecutive rows of a tail with everything known of them; dropped as a whole. Rows only ever get added, superseded and vectors. */
export class TailChunk {
  readonly number: number;
  /** Ordinal of row 0. */
  readonly base: number;
  /** Records of the tail ever, before this chunk. */
  readonly recordsBefore: number;
  /** Per partition, the highest offset before this chunk; -1: none. */
  readonly headsBefore: readonly number[];
  readonly pieces: Piece[] = [];
  count = 0;
  flags = new Uint8Array(0);
  /** Per row: how many ordinals later its key was written again; 0: not yet. Null in append streams. */
  superseded: Uint32Array | null;
  /** Per row: terms of its text. */
  lengths = new Uint32Array(0);
  readonly text: TextIndex | null;
  vectors: VectorBlock | null = null;
  readonly values = new ValueIndexes();
  /** Over all rows, and all that superseded them so far. */
  readonly live: Totals = { rows: 0, documents: 0, tokens: 0, missing: 0 };
  /** The newest ordinal that superseded a row here; -1: none did. */
  newestMark = -1;
  #payloadBytes = 0;

  constructor(number: number, recordsBefore: number, headsBefore: readonly number[], kind: { upsert: boolean; text: boolean }) {
    this.number = number;
    this.base = number * CHUNK_ROWS;
    this.recordsBefore = recordsBefore;
    this.headsBefore = headsBefore;
    this.superseded = kind.upsert ? new Uint32Array(0) : null;
    this.text = kind.text ? new TextIndex() : null;
  }

  get end(): number {
    return this.base + this.count;
  }

  get full(): boolean {
    return this.count === CHUNK_ROWS || this.#payloadBytes >= MAX_CHUNK_BYTES;
  }

  get lastSegment(): number {
    return this.pieces[this.pieces.length - 1].segment.seq;
  }

  get bytes(): number {
    return (
      this.#payloadBytes +
      this.count * (this.superseded === null ? BYTES_PER_ROW : BYTES_PER_KEYED_ROW) +
      (this.text?.bytes ?? 0) +
      (this.vectors?.bytes ?? 0)
    );
  }

  /** Adds `count` records of the batch from `index` on, as rows that win for now. Returns the first row. */
  addRows(batch: SegmentBatch, segment: Segment, index: number, count: number): number {
    const row = this.count;
    const end = row + count;
    this.pieces.push({ row, count, index, batch, segment });
    this.flags = grownTo(this.flags, end, CHUNK_ROWS);
    if (this.text !== null) this.lengths = grownTo(this.lengths, end, CHUNK_ROWS);
    if (this.superseded !== null) this.superseded = grownTo(this.superseded, end, CHUNK_ROWS);
    const { bytes, count: batchCount, valueStart } = batch.batch;
    let tombstones = 0;
    for (let at = 0; at < count; at++) {
      if (valueStart[index + at] < 0) {
        this.flags[row + at] = ROW.tombstone;
        tombstones++;
      }
    }
    this.live.rows += count - tombstones;
    this.#payloadBytes += Math.ceil((bytes.length * count) / batchCount);
    this.count = end;
    return row;
  }

  addText(row: number, terms: readonly string[]): void {
    this.flags[row] |= ROW.document;
    this.lengths[row] = terms.length;
    this.live.documents++;
    this.live.tokens += terms.length;
    this.text!.add(row, terms);
  }

  addEmbeddable(row: number): void {
    this.flags[row] |= ROW.embeddable;
    this.live.missing++;
  }

  /** The row's key was written again at `ordinal`. Happens once per row. */
  supersede(row: number, ordinal: number): void {
    this.superseded![row] = ordinal - this.base - row;
    this.newestMark = ordinal;
    const flags = this.flags[row];
    if ((flags & ROW.tombstone) !== 0) return;
    this.live.rows--;
    if ((flags & ROW.document) !== 0) {
      this.live.documents--;
      this.live.tokens -= this.lengths[row];
    }
    if ((flags & (ROW.embeddable | ROW.vector)) === ROW.embeddable) this.live.missing--;
  }

  /** Takes a vector that `fill` writes; the first one of a row stays. */
  setVector(row: number, dimensions: number, fill: (out: Float32Array, at: number) => void): void {
    if ((this.flags[row] & ROW.vector) !== 0) return;
    this.vectors ??= new VectorBlock(dimensions);
    this.vectors.set(row, fill);
    if ((this.flags[row] & ROW.embeddable) !== 0 && (this.superseded === null || this.superseded[row] === 0)) this.live.missing--;
    this.flags[row] |= ROW.vector;
  }

  /** Whether a row is superseded by a row below the ordinal `end`. */
  isSuperseded(row: number, end: number): boolean {
    if (this.superseded === null) return false;
    const distance = this.superseded[row];
    return distance !== 0 && this.base + row + distance < end;
  }

  /** Whether the row is what its key (or it alone) stands for in a cut that ends at `end`. */
  wins(row: number, end: number): boolean {
    return (this.flags[row] & ROW.tombstone) === 0 && !this.isSuperseded(row, end);
  }

  /** The piece that holds the row. */
  pieceOf(row: number): Piece {
    return this.pieces[this.pieceIndexOf(row)];
  }

  /** The place in `pieces` of the one that holds the row; the last one when none does. */
  pieceIndexOf(row: number): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.pieces[middle].row <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The first row of a segment above this one; `count` when there is none. */
  firstRowAbove(segment: number): number {
    let low = 0;
    let high = this.pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle].segment.seq <= segment) low = middle + 1;
      else high = middle;
    }
    return low < this.pieces.length ? this.pieces[low].row : this.count;
  }
}
