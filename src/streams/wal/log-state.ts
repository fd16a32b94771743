import { IdempotencyTable } from './idempotency.ts';
import { ProducerTable } from './producers.ts';
import { WriterSequences } from './writers.ts';

/** What a log shard is folded into: all that admission needs, and nothing of the records. */
export interface LogState {
  seq: number;
  commitTimeMs: number;
  /** Of every live stream, by incarnation: the next offset of each partition. */
  streams: Map<string, number[]>;
  /**
   * No stream's life ended in a segment above this one. Not part of checkpoints: after a start from one, it is the checkpoint's own
   * segment, which costs whoever creates a stream at that moment a second look at the catalog.
   */
  lastDeletionSeq: number;
  writers: WriterSequences;
  idempotency: IdempotencyTable;
  producers: ProducerTable;
}

export function initialLogState(): LogState {
  return {
    seq: 0,
    commitTimeMs: 0,
    streams: new Map(),
    lastDeletionSeq: 0,
    writers: new WriterSequences(),
    idempotency: new IdempotencyTable(),
    producers: new ProducerTable(),
  };
}
