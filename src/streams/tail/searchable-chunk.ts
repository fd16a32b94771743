import type { TextIndex } from './text-index.ts';
import type { VectorBlock } from './vector-block.ts';

/** What a search reads of up to 8,192 neighbouring rows. */
export interface SearchableChunk {
  /** Ordinal of row 0. */
  readonly base: number;
  readonly count: number;
  readonly end: number;
  /** Per row: what is known of it (`ROW`), and the terms of its text. */
  readonly flags: Uint8Array;
  readonly lengths: Uint32Array;
  readonly text: TextIndex | null;
  readonly vectors: VectorBlock | null;
  /** The newest ordinal that superseded a row here; -1: none did. */
  readonly newestMark: number;
  /** Whether a row is superseded by a row below the ordinal `end`. */
  isSuperseded(row: number, end: number): boolean;
}
