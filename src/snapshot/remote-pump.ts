import type { Clock, Logger } from '../base/index.ts';
import { isTailwaterError } from '../base/index.ts';
import { MAX_SEGMENT_RECORDS, type StreamDefinition, type StreamTail } from '../streams/index.ts';
import type { Embedders } from './embedders.ts';

const BATCH_ROWS = 1024;
const RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

interface Batch {
  ordinals: number[];
  texts: string[];
  seqs: number[];
}

/**
 * Embeds the rows of a tail with a provider that costs time and money: whole segments, each persisted once, put-if-absent, before
 * anyone uses its vectors; what another node persisted first is what everyone uses (design, section 8).
 */
export class RemotePump {
  readonly #definition: StreamDefinition;
  readonly #tail: StreamTail;
  readonly #embedders: Embedders;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #failure: string | null = null;

  constructor(definition: StreamDefinition, tail: StreamTail, embedders: Embedders, clock: Clock, logger: Logger) {
    this.#definition = definition;
    this.#tail = tail;
    this.#embedders = embedders;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** What keeps rows from being embedded; null when nothing does. */
  get failure(): string | null {
    return this.#failure;
  }

  kick(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS;
    while (!this.#stop.signal.aborted) {
      const batch = this.#nextBatch();
      if (batch.ordinals.length === 0) return;
      try {
        await this.#embed(batch);
        this.#failure = null;
        retryMs = RETRY_MS;
      } catch (error) {
        this.#report(error);
        const hintMs = isTailwaterError(error) ? (error.retryAfterMs ?? 0) : 0;
        await this.#clock.sleep(Math.max(retryMs, hintMs), this.#stop.signal).catch(() => {});
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
      }
    }
  }

  #report(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#failure === null)
      this.#logger.warn({ stream: this.#definition.name, reason }, 'Fresh rows cannot be embedded; text search finds them');
    this.#failure = reason;
  }

  /** Whole segments only, since a segment's vectors are persisted once. */
  #nextBatch(): Batch {
    let batch = this.#pending(BATCH_ROWS);
    if (batch.ordinals.length === BATCH_ROWS) {
      const last = segmentOf(batch.seqs[BATCH_ROWS - 1]);
      const whole = batch.seqs.findIndex(seq => segmentOf(seq) === last);
      if (whole === 0) {
        batch = this.#pending(MAX_SEGMENT_RECORDS);
        return cut(batch, batch.seqs.filter(seq => segmentOf(seq) === last).length);
      }
      return cut(batch, whole);
    }
    return batch;
  }

  /** The oldest rows without a vector, except those whose text the service refuses. */
  #pending(limit: number): Batch {
    const { refused } = this.#embedders.of(this.#definition.embed!);
    const { ordinals, texts, seqs } = this.#tail.pendingEmbeddings(limit + refused.size);
    if (refused.size === 0) return { ordinals, texts, seqs };
    const taken = [...texts.keys()].filter(index => refused.of(texts[index]) === null).slice(0, limit);
    return { ordinals: taken.map(i => ordinals[i]), texts: taken.map(i => texts[i]), seqs: taken.map(i => seqs[i]) };
  }

  async #embed(batch: Batch): Promise<void> {
    const store = this.#embedders.vectorsOf(this.#definition);
    const { dimensions } = this.#definition.embed!;
    const segments = [...Map.groupBy(batch.seqs.keys(), index => segmentOf(batch.seqs[index]))];
    const persisted = await Promise.all(segments.map(([segment]) => store.read(segment)));
    // Whoever persisted a segment may have left out a row that was superseded for them already: it is not waited for.
    const missing = segments.flatMap(([, indices], at) =>
      indices.filter(index => persisted[at]?.vectorOf(batch.seqs[index] % MAX_SEGMENT_RECORDS) === undefined),
    );
    const embedder = this.#embedders.of(this.#definition.embed!);
    const computed = await embedder.embedEach(
      missing.map(index => batch.texts[index]),
      this.#stop.signal,
    );
    if (computed.refusal !== null) {
      const reason = computed.refusal.message;
      this.#logger.warn(
        { stream: this.#definition.name, reason },
        'The embedding service refuses some texts; text search finds them',
      );
    }
    const vectorAt = new Map<number, Float32Array>();
    for (const [at, index] of missing.entries()) {
      if (computed.hasVector[at] !== 0) vectorAt.set(index, computed.vectors.subarray(at * dimensions, (at + 1) * dimensions));
    }
    for (const [at, [segment, indices]] of segments.entries()) {
      const entries = indices
        .filter(index => vectorAt.has(index))
        .map(index => ({ seqIndex: batch.seqs[index] % MAX_SEGMENT_RECORDS, vector: vectorAt.get(index)! }));
      const stored = persisted[at] ?? (await store.write(segment, entries));
      this.#hand(batch, indices, index => stored.vectorOf(batch.seqs[index] % MAX_SEGMENT_RECORDS) ?? vectorAt.get(index));
    }
  }

  #hand(batch: Batch, indices: number[], vectorOf: (index: number) => Float32Array | undefined): void {
    for (const index of indices) {
      const vector = vectorOf(index);
      if (vector) this.#tail.setVectors([batch.ordinals[index]], vector);
    }
  }
}

function segmentOf(seq: number): number {
  return Math.floor(seq / MAX_SEGMENT_RECORDS);
}

function cut(batch: Batch, length: number): Batch {
  return { ordinals: batch.ordinals.slice(0, length), texts: batch.texts.slice(0, length), seqs: batch.seqs.slice(0, length) };
}
