import { type Clock, type Random, TailwaterError } from '../../src/base/index.ts';
import { Embedder } from '../../src/embeddings/embedder.ts';
import { type EmbeddingProvider, HashProvider } from '../../src/embeddings/index.ts';
import { Embedders, type EmbeddersOptions } from '../../src/snapshot/embedders.ts';
import type { EmbedSettings } from '../../src/streams/index.ts';
import { DIMENSIONS, REMOTE } from './draw-plan.ts';

/** The service behind every node's remote provider: one for all, as a company's API is. */
export interface RemoteService {
  down: boolean;
  failing: number;
  /** Between nodes only; a call takes up to so long. */
  maxDelayMs: number;
}

/** The unit vector of a text: one bump per letter pair, nothing of any provider's code. */
export function remoteVector(text: string): Float32Array {
  const sums = new Float64Array(DIMENSIONS);
  let state = 17;
  for (let at = 0; at < text.length; at++) {
    state = (state * 31 + text.charCodeAt(at)) % 10_007;
    sums[state % DIMENSIONS] += 1 + (state % 5);
    sums[(state >> 3) % DIMENSIONS] -= 1;
  }
  sums[0] += 0.5;
  const length = Math.hypot(...sums);
  return Float32Array.from(sums, value => value / length);
}

class RemoteProvider implements EmbeddingProvider {
  readonly name = REMOTE;
  readonly model = 'sim';
  readonly dimensions = DIMENSIONS;
  readonly maxBatchTexts = 16;
  readonly pure = false;
  readonly #service: RemoteService;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(service: RemoteService, clock: Clock, random: Random) {
    this.#service = service;
    this.#clock = clock;
    this.#random = random;
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array> {
    await this.#clock.sleep(this.#random.float() * this.#service.maxDelayMs, signal);
    if (this.#service.down || this.#random.float() < this.#service.failing)
      throw new TailwaterError('TW_EMBEDDING_FAILED', { detail: 'Injected.' });
    const vectors = new Float32Array(texts.length * DIMENSIONS);
    for (const [index, text] of texts.entries()) vectors.set(remoteVector(text), index * DIMENSIONS);
    return vectors;
  }
}

/** A pure function, with buffers of some megabytes: one for all nodes of all histories. */
const hash = new HashProvider({ dimensions: DIMENSIONS });

/** The embedders of a node, which know the simulation's provider as well. */
export class SimEmbedders extends Embedders {
  readonly #remote: Embedder;
  readonly #hash: Embedder;

  constructor(options: EmbeddersOptions, service: RemoteService) {
    super(options);
    const { clock, random } = options;
    this.#remote = new Embedder(new RemoteProvider(service, clock, random), { clock, random, maxAttempts: 2 });
    this.#hash = new Embedder(hash, { clock, random });
  }

  override of(embed: EmbedSettings): Embedder {
    if (embed.provider === REMOTE) return this.#remote;
    return embed.provider === hash.name && embed.dimensions === hash.dimensions ? this.#hash : super.of(embed);
  }
}
