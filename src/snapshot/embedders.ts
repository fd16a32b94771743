import type { Clock, Random } from '../base/index.ts';
import { createProvider, type EachEmbedded, Embedder, SegmentVectors } from '../embeddings/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import { type EmbedSettings, MAX_SEGMENT_RECORDS, type StreamDefinition } from '../streams/index.ts';

/** Texts of one call to a provider by upkeep, and how long it goes on with further ones: below the patience of a table commit. */
const COMPUTE_ROWS = 512;
const COMPUTE_BUDGET_MS = 5_000;

export interface EmbeddersOptions {
  store: ObjectStore;
  clock: Clock;
  random: Random;
  secrets: { openai?: { apiKey?: string; baseURL?: string } };
}

/** The embedders of a node, one per model, shared by streams and queries; and the persisted vectors of each stream. */
export class Embedders {
  readonly #options: EmbeddersOptions;
  readonly #byModel = new Map<string, Embedder>();
  readonly #vectors = new Map<string, SegmentVectors>();

  constructor(options: EmbeddersOptions) {
    this.#options = options;
  }

  /** Throws TW_SETTING for a provider that does not exist. */
  of(embed: EmbedSettings): Embedder {
    const model = JSON.stringify([embed.provider, embed.model, embed.dimensions]);
    let embedder = this.#byModel.get(model);
    if (!embedder) {
      const { clock, random, secrets } = this.#options;
      embedder = new Embedder(createProvider(embed, secrets), { clock, random });
      this.#byModel.set(model, embedder);
    }
    return embedder;
  }

  /** Vectors of a stream's segments, for providers whose vectors cost something. */
  vectorsOf({ incarnation, embed }: StreamDefinition): SegmentVectors {
    let vectors = this.#vectors.get(incarnation);
    if (!vectors) {
      vectors = new SegmentVectors(this.#options.store, incarnation, embed!);
      this.#vectors.set(incarnation, vectors);
    }
    return vectors;
  }

  /** For compaction, which never waits for a provider (C7): computed when that is pure, else what has been persisted. */
  async vectorsFor(
    definition: StreamDefinition,
    rows: readonly { seq: number; text: string }[],
  ): Promise<{ vectors: Float32Array; hasVector: Uint8Array }> {
    const { provider } = this.of(definition.embed!);
    const vectors = new Float32Array(rows.length * provider.dimensions);
    const hasVector = new Uint8Array(rows.length);
    if (provider.pure) {
      for (const [index, row] of rows.entries()) provider.embedInto!(row.text, vectors, index * provider.dimensions);
      return { vectors, hasVector: hasVector.fill(1) };
    }
    await this.#persisted(definition, rows, vectors, hasVector);
    return { vectors, hasVector };
  }

  /**
   * For upkeep, which may wait (C7): what `vectorsFor` has, and the rest computed now, as much as there is time for. Rows whose text the
   * service refuses have none. Throws TW_EMBEDDING_FAILED when the service is down and nothing was there.
   */
  async computedVectorsFor(
    definition: StreamDefinition,
    rows: readonly { seq: number; text: string }[],
  ): Promise<{ vectors: Float32Array; hasVector: Uint8Array }> {
    const { clock } = this.#options;
    const known = await this.vectorsFor(definition, rows);
    const missing = [...rows.keys()].filter(index => known.hasVector[index] === 0);
    const embedder = this.of(definition.embed!);
    const { dimensions } = embedder.provider;
    const untilMs = clock.nowMs() + COMPUTE_BUDGET_MS;
    for (let from = 0; from < missing.length && clock.nowMs() < untilMs; from += COMPUTE_ROWS) {
      const part = missing.slice(from, from + COMPUTE_ROWS);
      const each = await this.#embedEach(
        embedder,
        part.map(index => rows[index].text),
        known.hasVector,
      );
      if (each === null) break;
      for (const [at, index] of part.entries()) {
        if (each.hasVector[at] === 0) continue;
        known.vectors.set(each.vectors.subarray(at * dimensions, (at + 1) * dimensions), index * dimensions);
        known.hasVector[index] = 1;
      }
    }
    return known;
  }

  /** Null when the service fails after others had their vectors: these are not thrown away. */
  async #embedEach(embedder: Embedder, texts: string[], hasVector: Uint8Array): Promise<EachEmbedded | null> {
    try {
      return await embedder.embedEach(texts);
    } catch (error) {
      if (!hasVector.includes(1)) throw error;
      return null;
    }
  }

  async #persisted(
    definition: StreamDefinition,
    rows: readonly { seq: number; text: string }[],
    vectors: Float32Array,
    hasVector: Uint8Array,
  ): Promise<void> {
    const bySegment = Map.groupBy(rows.entries(), ([, row]) => Math.floor(row.seq / MAX_SEGMENT_RECORDS));
    for (const [segment, entries] of bySegment) {
      const stored = await this.vectorsOf(definition).read(segment);
      for (const [index, row] of entries) {
        const vector = stored?.vectorOf(row.seq % MAX_SEGMENT_RECORDS);
        if (!vector) continue;
        vectors.set(vector, index * vector.length);
        hasVector[index] = 1;
      }
    }
  }

  stats(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const embedder of this.#byModel.values()) {
      for (const [name, value] of Object.entries(embedder.stats())) sums[name] = (sums[name] ?? 0) + value;
    }
    return sums;
  }
}
