import type { TailChunk } from './chunk.ts';
import { CHUNK_ROWS } from './row-flags.ts';
import type { SearchableChunk } from './searchable-chunk.ts';

/** A range of ordinals, [start, end), with the chunks that hold it. */
export interface Cut<Chunk extends SearchableChunk = TailChunk> {
  readonly chunks: readonly Chunk[];
  readonly start: number;
  readonly end: number;
}

/** What a caller thinks of a row; absent: every row will do. */
export type Accept = (ordinal: number) => boolean;

export function firstRowOf(cut: Cut<SearchableChunk>, chunk: SearchableChunk): number {
  return Math.max(0, cut.start - chunk.base);
}

export function endRowOf(cut: Cut<SearchableChunk>, chunk: SearchableChunk): number {
  return Math.min(chunk.count, cut.end - chunk.base);
}

/** The chunk of an ordinal among consecutive chunks. */
export function chunkOf(chunks: readonly TailChunk[], ordinal: number): TailChunk {
  return chunks[Math.floor(ordinal / CHUNK_ROWS) - chunks[0].number];
}

/** The chunks that hold ordinals of [start, end). */
export function chunksIn(chunks: readonly TailChunk[], start: number, end: number): TailChunk[] {
  if (end <= start || chunks.length === 0) return [];
  const first = Math.max(0, Math.floor(start / CHUNK_ROWS) - chunks[0].number);
  return chunks.slice(first, Math.ceil(end / CHUNK_ROWS) - chunks[0].number);
}

/** Records of the tail ever before this ordinal. */
export function recordsBefore(chunks: readonly TailChunk[], ordinal: number): number {
  const chunk = chunks[Math.min(chunks.length - 1, Math.max(0, Math.floor(ordinal / CHUNK_ROWS) - chunks[0].number))];
  return chunk.recordsBefore + Math.min(chunk.count, Math.max(0, ordinal - chunk.base));
}

/** Per partition, the highest offset before this ordinal; -1: none. */
export function headsBefore(chunks: readonly TailChunk[], ordinal: number): number[] {
  const chunk = chunks[Math.min(chunks.length - 1, Math.max(0, Math.floor(ordinal / CHUNK_ROWS) - chunks[0].number))];
  const heads = [...chunk.headsBefore];
  for (const { row, count, index, batch } of chunk.pieces) {
    if (chunk.base + row >= ordinal) break;
    raiseHead(heads, batch.partition, batch.batch.baseOffset + index + count - 1);
  }
  return heads;
}

export function raiseHead(heads: number[], partition: number, offset: number): void {
  while (heads.length <= partition) heads.push(-1);
  heads[partition] = offset;
}

/** The first ordinal whose segment is above this one; the end of the last chunk when there is none. */
export function firstOrdinalAbove(chunks: readonly TailChunk[], segment: number): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunks[middle].lastSegment > segment) high = middle;
    else low = middle + 1;
  }
  return chunks[low].base + chunks[low].firstRowAbove(segment);
}
