import { type Clock, type Random, randomId } from '../../base/index.ts';
import type { Proposal } from '../../journal/index.ts';
import type { ControlRecord, Segment } from '../segment-types.ts';
import type { Admission } from './admission.ts';
import type { LogState } from './log-state.ts';
import { type BatchDraft, encodeSegment } from './segment.ts';
import { type IdempotencyRecord, NONCE_BYTES, type ProducerRecord } from './segment-layout.ts';

interface Content {
  controls: readonly ControlRecord[];
  idempotency: readonly IdempotencyRecord[];
  producers: readonly ProducerRecord[];
  batches: readonly BatchDraft[];
}

/** Nonces are drawn this many at a time: a draw costs as much as the rest of a small segment. */
const NONCES_PER_DRAW = 64;

/** Makes one writer's segments, and keeps the latest attempt: its decoded form, and encodings that a next attempt can use again. */
export class SegmentBuilder {
  readonly #shard: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #writerId: string;
  #writerSequence = 0;
  #nonces: Uint8Array = new Uint8Array(0);
  #attempt: { segment: Segment; drafts: readonly BatchDraft[] } | null = null;

  constructor(shard: number, clock: Clock, random: Random) {
    this.#shard = shard;
    this.#clock = clock;
    this.#random = random;
    this.#writerId = randomId(random);
  }

  /** Every segment is later than the one before, whatever the clocks of its writers say. */
  commitTimeAfter(state: LogState): number {
    return Math.max(state.commitTimeMs + 1, Math.floor(this.#clock.nowMs()));
  }

  appends<R>(seq: number, commitTimeMs: number, admission: Admission, result: R): Proposal<R> {
    const { batches, idempotency, producers } = admission;
    return this.#propose(seq, commitTimeMs, { controls: [], batches, idempotency, producers }, result);
  }

  controls<R>(seq: number, commitTimeMs: number, controls: readonly ControlRecord[], result: R): Proposal<R> {
    return this.#propose(seq, commitTimeMs, { controls, batches: [], idempotency: [], producers: [] }, result);
  }

  /** The latest attempt, decoded, if it was for this number. */
  attemptFor(seq: number): Segment | null {
    return this.#attempt?.segment.seq === seq ? this.#attempt.segment : null;
  }

  /** The attempt was settled: lets go of its records. */
  forget(): void {
    this.#attempt = null;
  }

  #propose<R>(seq: number, commitTimeMs: number, content: Content, result: R): Proposal<R> {
    const writer = { writerId: this.#writerId, writerSequence: ++this.#writerSequence };
    const header = { shard: this.#shard, seq, commitTimeMs, ...writer, nonce: this.#nextNonce() };
    const batches = content.batches.map(batch => this.#withEarlierEncoding(batch));
    const { bytes, segment } = encodeSegment({ ...header, ...content, batches });
    const drafts = content.batches.map((batch, index) => ({ ...batch, encoded: segment.batches[index].batch }));
    this.#attempt = { segment, drafts };
    return { kind: 'entry', bytes, ...writer, result };
  }

  #nextNonce(): Uint8Array {
    if (this.#nonces.length === 0) this.#nonces = this.#random.bytes(NONCE_BYTES * NONCES_PER_DRAW);
    const nonce = this.#nonces.subarray(0, NONCE_BYTES);
    this.#nonces = this.#nonces.subarray(NONCE_BYTES);
    return nonce;
  }

  #withEarlierEncoding(batch: BatchDraft): BatchDraft {
    const encoded = this.#attempt?.drafts.find(draft => isSameContent(draft, batch))?.encoded;
    return encoded === undefined ? batch : { ...batch, encoded };
  }
}

function isSameContent(a: BatchDraft, b: BatchDraft): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.partition === b.partition &&
    a.slabs.length === b.slabs.length &&
    a.slabs.every((slab, index) => slab === b.slabs[index])
  );
}
