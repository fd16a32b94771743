import { TailwaterError } from '../../base/index.ts';
import type { JournalMachine } from '../../journal/index.ts';
import type { ControlRecord } from '../segment-types.ts';
import { decodeLogCheckpoint, encodeLogCheckpoint } from './log-checkpoint.ts';
import { initialLogState, type LogState } from './log-state.ts';
import { withBatch } from './producers.ts';
import { readSegmentSummary, type SegmentSummary } from './segment.ts';
import type { BatchEntry } from './segment-layout.ts';

/** The machine of log shard `shard`: of a segment it reads header and footer, never the records. */
export function logMachine(shard: number): JournalMachine<LogState> {
  return {
    initial: initialLogState,
    apply: (state, seq, bytes) => applySegment(state, shard, seq, readSegmentSummary(bytes)),
    encodeCheckpoint: state => encodeLogCheckpoint(state, shard),
    decodeCheckpoint: bytes => decodeLogCheckpoint(bytes, shard),
    settled: (state, writerId, writerSequence) => state.writers.settled(writerId, writerSequence),
  };
}

function applySegment(state: LogState, shard: number, seq: number, summary: SegmentSummary): LogState {
  if (summary.shard !== shard || summary.seq !== seq || seq !== state.seq + 1) {
    throw damaged(`Entry ${seq} of log shard ${shard} holds segment ${summary.seq} of shard ${summary.shard}.`);
  }
  if (summary.commitTimeMs <= state.commitTimeMs) throw damaged(`Segment ${seq} was committed before its predecessor.`);
  state.seq = seq;
  state.commitTimeMs = summary.commitTimeMs;
  state.writers.record(summary.writerId, summary.writerSequence);
  for (const control of summary.controls) applyControl(state, control);
  for (const batch of summary.batches) applyBatch(state, batch);
  for (const record of summary.idempotency) state.idempotency.record(record, seq, state.commitTimeMs);
  for (const record of summary.producers) {
    state.producers.set(withBatch(state.producers.get(record), record, seq, state.commitTimeMs));
  }
  state.idempotency.trim(state.commitTimeMs);
  state.producers.trim(state.commitTimeMs);
  return state;
}

function applyControl(state: LogState, control: ControlRecord): void {
  if (control.kind === 'create') {
    const { incarnation, partitions } = control.definition;
    state.streams.set(incarnation, new Array<number>(partitions).fill(0));
  } else if (control.kind === 'delete') {
    state.streams.delete(control.incarnation);
    state.lastDeletionSeq = state.seq;
    state.producers.dropStream(control.incarnation);
  } else {
    const offsets = state.streams.get(control.incarnation);
    while (offsets !== undefined && offsets.length < control.partitions) offsets.push(0);
  }
}

function applyBatch(state: LogState, { incarnation, partition, baseOffset, count }: BatchEntry): void {
  const offsets = state.streams.get(incarnation);
  if (offsets?.[partition] !== baseOffset) {
    const expected = offsets?.[partition] ?? 'no such partition';
    throw damaged(`A batch of ${incarnation}/${partition} starts at ${baseOffset}; expected ${expected}.`);
  }
  offsets[partition] = baseOffset + count;
}

function damaged(detail: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail });
}
