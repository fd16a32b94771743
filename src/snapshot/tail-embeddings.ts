import type { Clock, Logger } from '../base/index.ts';
import type { StreamDefinition, StreamTail } from '../streams/index.ts';
import type { Embedders } from './embedders.ts';
import type { LiveStream } from './live-stream.ts';
import type { LiveStreams } from './live-streams.ts';
import { PurePump } from './pure-pump.ts';
import { RemotePump } from './remote-pump.ts';

/** Rows that may wait for a pure provider before writers wait too. */
const MAX_BACKLOG_ROWS = 8192;

export interface TailEmbeddingsOptions {
  streams: LiveStreams;
  embedders: Embedders;
  clock: Clock;
  logger: Logger;
}

/** Gives every row of every tail its vector, soon after it is acknowledged, and every query its own. */
export class TailEmbeddings {
  readonly #options: TailEmbeddingsOptions;
  readonly #pumps = new Map<string, PurePump | RemotePump>();

  constructor(options: TailEmbeddingsOptions) {
    this.#options = options;
    options.streams.onRecords(stream => this.#pumpOf(stream)?.kick());
    for (const stream of options.streams.all()) this.#pumpOf(stream)?.kick();
  }

  /** Unit length. Throws TW_EMBEDDING_FAILED. */
  async embedQuery(definition: StreamDefinition, text: string, signal?: AbortSignal): Promise<Float32Array> {
    const embedder = this.#options.embedders.of(definition.embed!);
    const { provider } = embedder;
    if (!provider.pure) return embedder.embed([text], signal);
    const vector = new Float32Array(provider.dimensions);
    provider.embedInto!(text, vector, 0);
    return vector;
  }

  /** Resolves when the rows a pure provider embeds have their vectors; others are not waited for. */
  async caughtUp(definition: StreamDefinition): Promise<void> {
    const pump = this.#pumps.get(definition.incarnation);
    if (pump instanceof PurePump) await pump.caughtUp();
  }

  /** Resolves when the stream may take more rows: writers go no faster than a pure provider. */
  async room(definition: StreamDefinition): Promise<void> {
    const pump = this.#pumps.get(definition.incarnation);
    if (pump instanceof PurePump && pump.backlogRows > MAX_BACKLOG_ROWS) await pump.caughtUp();
  }

  /** What compaction would write: at once, so where the provider is not pure only what has been persisted. */
  vectorsFor(
    definition: StreamDefinition,
    rows: readonly { seq: number; text: string }[],
  ): Promise<{ vectors: Float32Array; hasVector: Uint8Array }> {
    return this.#options.embedders.vectorsFor(definition, rows);
  }

  /** Gives the rows that win in a cut of the tail the vectors that can be had at once. */
  async fill(tail: StreamTail, throughSegment: number): Promise<void> {
    const { definition } = tail;
    if (definition.embed === null) return;
    for (;;) {
      const { ordinals, texts, seqs } = tail.pendingEmbeddings(MAX_BACKLOG_ROWS, throughSegment);
      if (ordinals.length === 0) return;
      const rows = texts.map((text, index) => ({ text, seq: seqs[index] }));
      const { vectors, hasVector } = await this.#options.embedders.vectorsFor(definition, rows);
      const { dimensions } = definition.embed;
      for (const [index, ordinal] of ordinals.entries()) {
        if (hasVector[index] !== 0) tail.setVectors([ordinal], vectors.subarray(index * dimensions, (index + 1) * dimensions));
      }
      if (hasVector.includes(0)) return;
    }
  }

  /** As `fill`, where it costs nothing but time: with a pure provider. */
  async compute(tail: StreamTail, throughSegment: number): Promise<void> {
    const { embed } = tail.definition;
    if (embed !== null && this.#options.embedders.of(embed).provider.pure) await this.fill(tail, throughSegment);
  }

  /** One line per stream whose rows cannot be embedded now. */
  problems(): string[] {
    const lines: string[] = [];
    for (const stream of this.#options.streams.all()) {
      const pump = this.#pumps.get(stream.definition.incarnation);
      if (pump instanceof RemotePump && pump.failure !== null) {
        lines.push(`Fresh rows of stream "${stream.definition.name}" cannot be embedded: ${pump.failure}`);
      }
    }
    return lines;
  }

  async close(): Promise<void> {
    for (const pump of this.#pumps.values()) if (pump instanceof RemotePump) await pump.close();
  }

  #pumpOf(stream: LiveStream): PurePump | RemotePump | null {
    const { definition, tail } = stream;
    if (definition.embed === null) return null;
    let pump = this.#pumps.get(definition.incarnation);
    if (!pump) {
      pump = this.#createPump(definition, tail);
      this.#pumps.set(definition.incarnation, pump);
    }
    return pump;
  }

  #createPump(definition: StreamDefinition, tail: StreamTail): PurePump | RemotePump {
    const { embedders, clock, logger } = this.#options;
    const { provider } = embedders.of(definition.embed!);
    if (provider.pure) return new PurePump(tail, provider, clock);
    return new RemotePump(definition, tail, embedders, clock, logger);
  }
}
