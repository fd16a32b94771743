import { TailwaterError } from '../../base/index.ts';
import { RecencyMap } from './bounded.ts';
import type { ProducerRecord } from './segment-layout.ts';

/** Kafka's limit of batches in flight per producer, and so of batches that a retry can name. */
const KEPT_BATCHES = 5;
const MAX_PRODUCERS = 50_000;
const KEPT_MS = 24 * 3_600_000;
const SEQUENCE_MODULUS = 0x8000_0000;

export interface ProducerBatch {
  sequence: number;
  firstOffset: number;
  count: number;
  seq: number;
  commitTimeMs: number;
}

/** What is known of one producer in one stream partition. Immutable. */
export interface ProducerState {
  id: number;
  incarnation: string;
  partition: number;
  epoch: number;
  /** The newest five, oldest first. Never empty. */
  batches: readonly ProducerBatch[];
}

type Place = Pick<ProducerRecord, 'id' | 'incarnation' | 'partition'>;
type Attempt = Pick<ProducerRecord, 'epoch' | 'sequence' | 'count'>;

/** Kafka's idempotent producers, per (producer, stream partition): at most 50,000, forgotten 24 hours after their last batch. */
export class ProducerTable {
  readonly #states = new RecencyMap<string, ProducerState>();

  get size(): number {
    return this.#states.size;
  }

  get(place: Place): ProducerState | undefined {
    return this.#states.get(keyOf(place));
  }

  set(state: ProducerState): void {
    this.#states.set(keyOf(state), state);
  }

  trim(nowMs: number): void {
    this.#states.trim((state, size) => size > MAX_PRODUCERS || state.batches.at(-1)!.commitTimeMs <= nowMs - KEPT_MS);
  }

  dropStream(incarnation: string): void {
    for (const [key, state] of [...this.#states.entries()]) if (state.incarnation === incarnation) this.#states.delete(key);
  }

  /** Least recently written first. */
  entries(): Iterable<[string, ProducerState]> {
    return this.#states.entries();
  }
}

/**
 * Kafka's rule for a batch of an idempotent producer: the earlier batch when it is a retry, null when it is next in order.
 * Throws TW_PRODUCER_FENCED for an older epoch, TW_OUT_OF_ORDER_SEQUENCE for a gap.
 */
export function checkProducer(state: ProducerState | undefined, attempt: Attempt): ProducerBatch | null {
  if (state === undefined) return null;
  if (attempt.epoch < state.epoch) {
    throw new TailwaterError('TW_PRODUCER_FENCED', {
      detail: `Producer ${state.id} has epoch ${state.epoch}, this append has ${attempt.epoch}.`,
      data: { epoch: state.epoch },
    });
  }
  const sameEpoch = attempt.epoch === state.epoch;
  const earlier = state.batches.find(batch => batch.sequence === attempt.sequence && batch.count === attempt.count);
  if (sameEpoch && earlier !== undefined) return earlier;
  const expected = sameEpoch ? nextSequence(state.batches.at(-1)!) : 0;
  if (attempt.sequence === expected) return null;
  throw new TailwaterError('TW_OUT_OF_ORDER_SEQUENCE', {
    detail: `Producer ${state.id} sent sequence ${attempt.sequence}; the next one is ${expected}.`,
    data: { expected },
  });
}

/** The state after one more batch. */
export function withBatch(
  state: ProducerState | undefined,
  record: ProducerRecord,
  seq: number,
  commitTimeMs: number,
): ProducerState {
  const { id, incarnation, partition, epoch, sequence, firstOffset, count } = record;
  const earlier = state?.epoch === epoch ? state.batches.slice(1 - KEPT_BATCHES) : [];
  return { id, incarnation, partition, epoch, batches: [...earlier, { sequence, firstOffset, count, seq, commitTimeMs }] };
}

function nextSequence(batch: ProducerBatch): number {
  return (batch.sequence + batch.count) % SEQUENCE_MODULUS;
}

function keyOf({ id, incarnation, partition }: Place): string {
  return `${id}/${partition}/${incarnation}`;
}
