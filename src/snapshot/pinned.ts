import { earliestOffset } from '../lakehouse/index.ts';
import { encodeToken, type Position, type StreamDefinition, type TailSnapshot } from '../streams/index.ts';
import type { ResidentRows } from './resident-rows.ts';
import type { ShadowedRows } from './shadowed-rows.ts';
import type { Freshness } from './snapshot-types.ts';
import type { TableView } from './table-view.ts';

/**
 * One instant of one stream (R1): the table as of its state, and the tail rows above it up to a segment. Every record up to
 * `throughSegment` is in exactly one of the two.
 */
export interface Pinned {
  definition: StreamDefinition;
  shard: number;
  table: TableView | null;
  /** The rows of `table` in memory, when they are kept there. */
  resident: ResidentRows | null;
  /** Accounts for the table rows the tail hides; null when it can hide none. */
  shadowed: ShadowedRows | null;
  tail: TailSnapshot;
  throughSegment: number;
  /** Commit time of `throughSegment`. */
  throughTimeMs: number;
}

/** Streams pinned at one instant. */
export interface PinnedStreams {
  shard: number;
  throughSegment: number;
  pinned: Pinned[];
}

export function headsOf(pinned: Pinned): number[] {
  const watermark = watermarkOf(pinned);
  return pinned.tail.heads.map((head, partition) => Math.max(head, watermark[partition]));
}

export function watermarkOf(pinned: Pinned): number[] {
  return pinned.table?.state.watermark ?? new Array<number>(pinned.definition.partitions).fill(-1);
}

/** Per partition, the lowest offset that can be read as a stream: from it on, no record has expired. */
export function earliestOf({ definition, table }: Pinned): number[] {
  return Array.from({ length: definition.partitions }, (_, partition) => earliestOffset(table?.state, partition));
}

export function positionOf(pinned: Pinned): Position {
  return {
    shards: [{ shard: pinned.shard, seq: pinned.throughSegment }],
    streams: [
      {
        incarnation: pinned.definition.incarnation,
        tableState: pinned.table?.state.n ?? null,
        heads: headsOf(pinned),
      },
    ],
  };
}

export function tokenOf(pinned: Pinned): string {
  return encodeToken(positionOf(pinned));
}

/** `skipped` names what a leg could not consider; an answer with any is not complete (R5). */
export function freshnessOf(pinned: Pinned, nowMs: number, skipped: Freshness['skipped'] = []): Freshness {
  const newest = pinned.tail.newestIngestedAtMs ?? pinned.table?.newestIngestedAtMs ?? null;
  return {
    watermark: watermarkOf(pinned),
    head: headsOf(pinned),
    tailRows: pinned.tail.recordCount,
    newestAgeMs: newest === null ? null : Math.max(0, nowMs - newest),
    asOf: new Date(pinned.throughTimeMs).toISOString(),
    skipped,
    complete: skipped.length === 0,
  };
}
