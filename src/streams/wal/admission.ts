import { TailwaterError } from '../../base/index.ts';
import type { AppendPart, AppendReceipt, AppendRequest, ControlRecord } from '../segment-types.ts';
import { receiptOf } from './idempotency.ts';
import type { LogState } from './log-state.ts';
import { checkProducer, type ProducerState, ProducerTable, withBatch } from './producers.ts';
import type { BatchDraft } from './segment.ts';
import type { IdempotencyRecord, ProducerRecord } from './segment-layout.ts';

/** What became of one request of a group: a receipt (of this segment or an earlier one), or the reason why it cannot be written. */
export type Outcome = { receipt: AppendReceipt } | { refused: TailwaterError };

interface GrowingBatch extends BatchDraft {
  slabs: AppendRequest['parts'][number]['records'][];
  nextOffset: number;
}

/**
 * Admission of a group of appends into the next segment, judged on one state of the log: pure, so it can be run again on the next
 * state after a lost race (J3). Each request is taken whole or refused whole; what was admitted before it counts.
 */
export class Admission {
  readonly idempotency: IdempotencyRecord[] = [];
  readonly producers: ProducerRecord[] = [];
  readonly #state: LogState;
  readonly #seq: number;
  readonly #commitTimeMs: number;
  /** By incarnation, then partition. */
  readonly #batches = new Map<string, GrowingBatch[]>();
  readonly #order: GrowingBatch[] = [];
  readonly #newKeys = new Map<string, IdempotencyRecord>();
  readonly #newProducers = new ProducerTable();

  constructor(state: LogState, seq: number, commitTimeMs: number) {
    this.#state = state;
    this.#seq = seq;
    this.#commitTimeMs = commitTimeMs;
  }

  /** One batch per stream partition, in the order in which they were first written. */
  get batches(): readonly BatchDraft[] {
    return this.#order;
  }

  get isEmpty(): boolean {
    return this.#order.length === 0 && this.idempotency.length === 0;
  }

  admit(request: AppendRequest): Outcome {
    try {
      const earlier = this.#earlierByKey(request) ?? this.#earlierByProducer(request);
      if (earlier !== null) return { receipt: earlier };
      for (const part of request.parts) this.#requireAlive(part);
      this.#requireUnchanged(request);
    } catch (error) {
      if (error instanceof TailwaterError) return { refused: error };
      throw error;
    }
    return { receipt: this.#take(request) };
  }

  #take(request: AppendRequest): AppendReceipt {
    const parts = request.parts.map(part => this.#append(part));
    const { idempotency, guard, producer } = request;
    const answer = idempotency?.answer ?? null;
    if (idempotency !== undefined) {
      this.#note({ ...idempotency, parts });
    }
    if (guard !== undefined) this.#note({ key: guardKey(guard.name), fingerprint: '', answer: null, parts: [] });
    if (producer !== undefined) {
      const [{ incarnation, partition, first, last }] = parts;
      const record = { ...producer, incarnation, partition, firstOffset: first, count: last - first + 1 };
      const state = withBatch(this.#producerState(record), record, this.#seq, this.#commitTimeMs);
      this.producers.push(record);
      this.#newProducers.set(state);
    }
    return { seq: this.#seq, commitTimeMs: this.#commitTimeMs, parts, duplicate: false, answer };
  }

  #note(record: IdempotencyRecord): void {
    this.idempotency.push(record);
    this.#newKeys.set(record.key, record);
  }

  #append({ incarnation, partition, records }: AppendPart): AppendReceipt['parts'][number] {
    const batch = this.#batchOf(incarnation, partition);
    const first = batch.nextOffset;
    batch.slabs.push(records);
    batch.nextOffset += records.count;
    return { incarnation, partition, first, last: batch.nextOffset - 1 };
  }

  #batchOf(incarnation: string, partition: number): GrowingBatch {
    const partitions = this.#batches.get(incarnation) ?? [];
    let batch: GrowingBatch | undefined = partitions[partition];
    if (batch === undefined) {
      const baseOffset = this.#state.streams.get(incarnation)![partition];
      batch = { incarnation, partition, baseOffset, slabs: [], nextOffset: baseOffset };
      partitions[partition] = batch;
      this.#batches.set(incarnation, partitions);
      this.#order.push(batch);
    }
    return batch;
  }

  #requireAlive({ incarnation, partition }: AppendPart): void {
    const offsets = this.#state.streams.get(incarnation);
    if (offsets === undefined) {
      throw new TailwaterError('TW_STREAM_NOT_FOUND', {
        detail: 'The stream has been deleted, or was never created.',
        data: { incarnation },
      });
    }
    if (offsets[partition] === undefined) {
      throw new TailwaterError('TW_BAD_REQUEST', {
        detail: `There is no partition ${partition}; the stream has ${offsets.length}.`,
        data: { incarnation, partition, partitions: offsets.length },
      });
    }
  }

  #requireUnchanged({ guard }: AppendRequest): void {
    if (guard === undefined) return;
    const key = guardKey(guard.name);
    const { idempotency } = this.#state;
    const changedSeq = this.#newKeys.has(key) ? this.#seq : (idempotency.get(key)?.seq ?? idempotency.forgottenSeq);
    if (changedSeq <= guard.afterSeq) return;
    throw new TailwaterError('TW_VERSION_MISMATCH', {
      detail: 'What the append was decided on may have been changed since by another one.',
      data: { changedSeq, afterSeq: guard.afterSeq },
    });
  }

  #earlierByKey({ idempotency }: AppendRequest): AppendReceipt | null {
    if (idempotency === undefined) return null;
    const { key, fingerprint } = idempotency;
    const inGroup = this.#newKeys.get(key);
    const kept = this.#state.idempotency.get(key);
    const record = inGroup ?? kept;
    if (record === undefined) return null;
    if (record.fingerprint !== fingerprint) {
      throw new TailwaterError('TW_IDEMPOTENCY_MISMATCH', {
        detail: 'The idempotency key was used for a different request.',
        data: { key },
      });
    }
    if (inGroup !== undefined) return receiptOf(inGroup, this.#seq, this.#commitTimeMs, true);
    return receiptOf(kept!, kept!.seq, kept!.commitTimeMs, true);
  }

  #earlierByProducer({ producer, parts }: AppendRequest): AppendReceipt | null {
    if (producer === undefined) return null;
    const { incarnation, partition, records } = parts[0];
    const state = this.#producerState({ id: producer.id, incarnation, partition });
    const batch = checkProducer(state, { ...producer, count: records.count });
    if (batch === null) return null;
    const part = { incarnation, partition, first: batch.firstOffset, last: batch.firstOffset + batch.count - 1 };
    return { seq: batch.seq, commitTimeMs: batch.commitTimeMs, parts: [part], duplicate: true, answer: null };
  }

  #producerState(place: Pick<ProducerRecord, 'id' | 'incarnation' | 'partition'>): ProducerState | undefined {
    return this.#newProducers.get(place) ?? this.#state.producers.get(place);
  }
}

/** Guards are kept among the idempotency keys; no client's key begins like this. */
function guardKey(name: string): string {
  return `\u0000${name}`;
}

/**
 * The control records that change something: creating what lives or deleting what does not is left out. So is every creation when a life
 * has ended in the log since the creations were decided: it may be the one that would begin again, and nobody remembers ended lives.
 */
export function effectiveControls(state: LogState, controls: readonly ControlRecord[], decidedAtSeq: number): ControlRecord[] {
  return controls.filter(control => {
    if (control.kind === 'create')
      return state.lastDeletionSeq <= decidedAtSeq && !state.streams.has(control.definition.incarnation);
    const offsets = state.streams.get(control.incarnation);
    return offsets !== undefined && (control.kind === 'delete' || control.partitions > offsets.length);
  });
}
