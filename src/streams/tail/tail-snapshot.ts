import { byteString, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../definition.ts';
import type { Equality } from '../filter/filter.ts';
import type { StreamRecord } from '../records.ts';
import type { Bm25, CorpusStatistics } from '../text/bm25.ts';
import { searchText } from '../text/record-text.ts';
import { recordAt } from '../wal/batch-decode.ts';
import type { Piece, TailChunk } from './chunk.ts';
import { type Accept, type Cut, chunkOf, endRowOf, firstRowOf } from './cut.ts';
import { findKey, type KeyGeneration } from './key-index.ts';
import { ROW } from './row-flags.ts';
import { searchTextIn, textStatisticsOf } from './search-text.ts';
import { searchVectorIn } from './search-vector.ts';
import { totalsOf } from './totals.ts';

const MAX_CACHED_VALUES = 1_024;

/** A row of a snapshot that a search found. */
export interface TailHit {
  ordinal: number;
  /** BM25 (higher is better), or the cosine distance 1 - cos (lower is better) of vector hits. */
  score: number;
}

/** What a snapshot is made of; every part stays as it is or only gains what the cut does not see. */
export interface SnapshotParts extends Cut {
  readonly definition: StreamDefinition;
  readonly generations: readonly KeyGeneration[];
  readonly afterSegment: number;
  readonly throughSegment: number;
  readonly heads: number[];
  readonly recordCount: number;
}

/**
 * The records of segments (afterSegment, throughSegment] of one stream at one moment. Later appends and trims of the tail do not
 * change its answers; vectors of its rows may still arrive. Rows are named by ordinals, which rise with `seq`. A row *wins* when it is no
 * deletion and no record of the cut has written its key again.
 */
export class TailSnapshot {
  readonly afterSegment: number;
  readonly throughSegment: number;
  /** All records of the cut, superseded ones and deletions too. */
  readonly recordCount: number;
  /** Per partition, the highest offset in the cut; -1: none. */
  readonly heads: number[];
  readonly newestIngestedAtMs: number | null;
  readonly #parts: SnapshotParts;
  readonly #values = new Map<number, JsonValue>();

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
    this.afterSegment = parts.afterSegment;
    this.throughSegment = parts.throughSegment;
    this.recordCount = parts.recordCount;
    this.heads = parts.heads;
    this.newestIngestedAtMs = parts.recordCount === 0 ? null : this.#lastPiece().segment.commitTimeMs;
  }

  /** Rows that win. */
  rowCount(): number {
    return this.#totals().rows;
  }

  /** Rows that win and have a text to embed, but no vector yet. */
  missingVectors(): number {
    return this.#totals().missing;
  }

  /** The record; key, value and header values are views into the log's bytes. */
  record(ordinal: number): StreamRecord {
    const chunk = chunkOf(this.#parts.chunks, ordinal);
    return recordOf(chunk.pieceOf(ordinal - chunk.base), ordinal - chunk.base);
  }

  /** The parsed value; null for a deletion. The last 1,024 are kept. */
  value(ordinal: number): JsonValue {
    const known = this.#values.get(ordinal);
    if (known !== undefined) return known;
    const chunk = chunkOf(this.#parts.chunks, ordinal);
    const parsed = valueAtRow(chunk, ordinal - chunk.base);
    if (this.#values.size >= MAX_CACHED_VALUES) this.#values.delete(this.#values.keys().next().value!);
    this.#values.set(ordinal, parsed);
    return parsed;
  }

  /** The search text; null when there is none. */
  text(ordinal: number): string | null {
    return searchText(this.#parts.definition, this.value(ordinal));
  }

  /** Over the rows that win. */
  textStatistics(terms: readonly string[]): CorpusStatistics {
    if (this.#parts.definition.search === null) return { documents: 0, tokens: 0, frequencies: terms.map(() => 0) };
    return textStatisticsOf(this.#parts, terms);
  }

  /** The best rows that win, by BM25; ties: newer first. `bm25` weighs the terms by their place; a term may occur at several places. */
  searchText(terms: readonly string[], bm25: Bm25, limit: number, accept?: Accept): TailHit[] {
    if (this.#parts.definition.search === null || limit <= 0) return [];
    const top = searchTextIn(this.#parts, terms, bm25, limit, accept);
    return top.sorted().map(({ ordinal, goodness }) => ({ ordinal, score: goodness }));
  }

  /** The nearest rows that win and have a vector, by cosine distance; ties: newer first. Throws TW_VECTOR_LENGTH. */
  searchVector(vector: Float32Array, limit: number, accept?: Accept): TailHit[] {
    const { embed } = this.#parts.definition;
    if (embed === null || limit <= 0) return [];
    requireLength(vector.length, embed.dimensions);
    const top = searchVectorIn(this.#parts, vector, limit, accept);
    return top.sorted().map(({ ordinal, goodness }) => ({ ordinal, score: 1 - goodness }));
  }

  /** Ordinals of rows that win, newest first. `equal`: what every row that is accepted has, where something is known. */
  newest(limit: number, accept?: Accept, equal: Equality | null = null): number[] {
    const found: number[] = [];
    for (const chunk of this.#parts.chunks.toReversed()) {
      for (const row of this.#newestRows(chunk, equal)) {
        if (found.length >= limit) return found;
        if (chunk.wins(row, this.#parts.end) && (accept === undefined || accept(chunk.base + row))) found.push(chunk.base + row);
      }
    }
    return found;
  }

  *#newestRows(chunk: TailChunk, equal: Equality | null): Iterable<number> {
    const firstRow = firstRowOf(this.#parts, chunk);
    const endRow = endRowOf(this.#parts, chunk);
    if (equal === null) {
      for (let row = endRow - 1; row >= firstRow; row--) yield row;
      return;
    }
    for (const row of chunk.values.rowsWith(equal, endRow, row => valueAtRow(chunk, row))) {
      if (row < firstRow) return;
      if (row < endRow) yield row;
    }
  }

  /** Ordinals of rows that win, oldest first. */
  *winners(): Iterable<number> {
    for (const chunk of this.#parts.chunks) {
      const endRow = endRowOf(this.#parts, chunk);
      for (let row = firstRowOf(this.#parts, chunk); row < endRow; row++) {
        if (chunk.wins(row, this.#parts.end)) yield chunk.base + row;
      }
    }
  }

  /** All records of segments above this one, oldest first: superseded ones and deletions too. */
  *records(afterSegment = this.afterSegment): Iterable<StreamRecord> {
    for (const { piece, row } of this.#rowsAbove(afterSegment)) yield recordOf(piece, row);
  }

  /** The newest record of the key in the cut of an upsert stream. */
  lookup(key: Uint8Array): { ordinal: number; deleted: boolean } | null {
    const { generations, chunks, start, end } = this.#parts;
    const ordinal = findKey(generations, byteString(key), start, end);
    if (ordinal < 0) return null;
    const chunk = chunkOf(chunks, ordinal);
    return { ordinal, deleted: (chunk.flags[ordinal - chunk.base] & ROW.tombstone) !== 0 };
  }

  /** Whether the cut of an upsert stream has any record of the key, which then hides older rows of it. */
  shadows(key: Uint8Array): boolean {
    return findKey(this.#parts.generations, byteString(key), this.#parts.start, this.#parts.end) >= 0;
  }

  /** Every distinct key of the cut of an upsert stream, deleted ones too, with its newest record; in order of these. */
  *shadowingKeys(afterSegment = this.afterSegment): Iterable<{ key: Uint8Array; ordinal: number }> {
    if (this.#parts.definition.kind !== 'upsert') return;
    for (const { chunk, piece, row } of this.#rowsAbove(afterSegment)) {
      const { bytes, keyStart, keyEnd } = piece.batch.batch;
      const index = piece.index + row - piece.row;
      if (keyStart[index] < 0 || chunk.isSuperseded(row, this.#parts.end)) continue;
      yield { key: bytes.subarray(keyStart[index], keyEnd[index]), ordinal: chunk.base + row };
    }
  }

  /** Records of a partition with first <= offset <= last, in order, at most `limit`: superseded ones and deletions too. */
  byOffsets(partition: number, first: number, last: number, limit: number): StreamRecord[] {
    const found: StreamRecord[] = [];
    for (const chunk of this.#chunksFrom(partition, first)) {
      if ((chunk.headsBefore[partition] ?? -1) >= last) break;
      for (const piece of chunk.pieces) {
        if (piece.batch.partition === partition) this.#collect(found, chunk, piece, { first, last, limit });
        if (found.length >= limit) return found;
      }
    }
    return found;
  }

  #collect(found: StreamRecord[], chunk: TailChunk, piece: Piece, range: { first: number; last: number; limit: number }): void {
    const offset = piece.batch.batch.baseOffset + piece.index;
    const fromRow = Math.max(firstRowOf(this.#parts, chunk), piece.row, piece.row + range.first - offset);
    const endRow = Math.min(endRowOf(this.#parts, chunk), piece.row + piece.count, piece.row + range.last - offset + 1);
    for (let row = fromRow; row < endRow && found.length < range.limit; row++) found.push(recordOf(piece, row));
  }

  /** The chunks from the one on that holds the first offset at or above this one. */
  #chunksFrom(partition: number, offset: number): readonly TailChunk[] {
    const { chunks } = this.#parts;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((chunks[middle].headsBefore[partition] ?? -1) < offset) low = middle;
      else high = middle - 1;
    }
    return chunks.slice(low);
  }

  /** Rows of the chunks that reach above the segment: newly come keys are found without a walk over the whole tail. */
  *#rowsAbove(segment: number): Iterable<{ chunk: TailChunk; piece: Piece; row: number }> {
    for (const chunk of this.#parts.chunks) {
      if (chunk.lastSegment <= segment) continue;
      const firstRow = Math.max(firstRowOf(this.#parts, chunk), chunk.firstRowAbove(segment));
      const endRow = endRowOf(this.#parts, chunk);
      for (let index = chunk.pieceIndexOf(firstRow); index < chunk.pieces.length; index++) {
        const piece = chunk.pieces[index];
        const end = Math.min(endRow, piece.row + piece.count);
        for (let row = Math.max(firstRow, piece.row); row < end; row++) yield { chunk, piece, row };
      }
    }
  }

  #totals() {
    return totalsOf(this.#parts.chunks, this.#parts.start, this.#parts.end);
  }

  #lastPiece(): Piece {
    const chunk = this.#parts.chunks[this.#parts.chunks.length - 1];
    return chunk.pieceOf(endRowOf(this.#parts, chunk) - 1);
  }
}

export function recordOf(piece: Piece, row: number): StreamRecord {
  return recordAt(piece.batch, piece.index + row - piece.row, piece.segment);
}

function valueAtRow(chunk: TailChunk, row: number): JsonValue {
  const { value } = recordOf(chunk.pieceOf(row), row);
  return value === null ? null : parsedValue(value);
}

export function parsedValue(value: Uint8Array): JsonValue {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')) as JsonValue;
}

export function requireLength(length: number, dimensions: number): void {
  if (length === dimensions) return;
  throw new TailwaterError('TW_VECTOR_LENGTH', {
    detail: `The vector has ${length} dimensions; the stream embeds in ${dimensions}.`,
  });
}
