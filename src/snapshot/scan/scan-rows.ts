import type { ArrowData, Selection } from '../../lakehouse/index.ts';

/** Rows from one of the two parts, before they are put together to batches. */
export interface ScanRows {
  /** In the order of the plan's columns. */
  columns: ArrowData[];
  selection: Selection;
  /** Rows of the selection, or all. */
  count: number;
  /** `_seq` of the row at a position of the columns; -1 when nobody asked. */
  seqAt: (position: number) => number;
}

/** The part of `count` that a row belongs to: for ever, wherever it is kept (two rounds of a 32-bit finalizer). */
export function shardOf(partition: number, offset: number, count: number): number {
  const high = Math.floor(offset / 0x1_0000_0000);
  const hash = mixed(mixed(Math.imul(partition + 1, 0x9e3779b1) ^ high) ^ (offset >>> 0));
  return hash % count;
}

function mixed(word: number): number {
  let hash = word;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
