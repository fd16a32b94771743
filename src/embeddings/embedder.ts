import { type Clock, isTailwaterError, type Random } from '../base/index.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { type EachEmbedded, embedEach, isRefusal, RefusedTexts, statusOf } from './embed-each.ts';
import type { EmbeddingProvider } from './provider.ts';
import { VectorCache } from './vector-cache.ts';

export interface EmbedderOptions {
  clock: Clock;
  random: Random;
  /** Default 20,000 vectors. */
  maxCacheEntries?: number;
  /** Requests to the service at once; default 4. */
  maxConcurrency?: number;
  /** Attempts of one batch; default 4. */
  maxAttempts?: number;
  /** Wait before the second attempt, doubling with jitter; default 250 ms. A longer Retry-After wins. */
  baseDelayMs?: number;
  /** Failures in a row that open the circuit breaker, and for how long; defaults 8 and 10 s. */
  breakerFailures?: number;
  breakerOpenMs?: number;
}

const MAX_DELAY_MS = 30_000;

/**
 * What stands between callers and a provider: a text is embedded once per content, equal texts in flight share one request, batches are
 * as large as the provider allows, failures are tried again, and a service that keeps failing is left alone for a while.
 */
export class Embedder {
  readonly provider: EmbeddingProvider;
  readonly #options: Required<EmbedderOptions>;
  readonly #cache: VectorCache;
  readonly #breaker: CircuitBreaker;
  readonly #inFlight = new Map<string, Promise<Float32Array>>();
  /** What the service refused lately, which `embedEach` leaves out. */
  readonly refused: RefusedTexts;
  readonly #queue: (() => void)[] = [];
  readonly #counts = { requests: 0, failures: 0, texts: 0, cacheHits: 0 };
  #active = 0;

  constructor(provider: EmbeddingProvider, options: EmbedderOptions) {
    this.provider = provider;
    this.#options = {
      maxCacheEntries: 20_000,
      maxConcurrency: 4,
      maxAttempts: 4,
      baseDelayMs: 250,
      breakerFailures: 8,
      breakerOpenMs: 10_000,
      ...options,
    };
    this.refused = new RefusedTexts(options.clock);
    this.#cache = new VectorCache(provider.dimensions, this.#options.maxCacheEntries);
    this.#breaker = new CircuitBreaker(options.clock, this.#options.breakerFailures, this.#options.breakerOpenMs);
  }

  /** One vector per text, `texts.length * dimensions` floats. Throws TW_EMBEDDING_FAILED; the signal's reason when it aborts. */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array> {
    const { dimensions } = this.provider;
    const keys = texts.map(VectorCache.keyOf);
    const vectors = new Float32Array(texts.length * dimensions);
    const missing = new Map<string, string>();
    const shared = new Map<string, Promise<Float32Array>>();
    for (const [index, key] of keys.entries()) {
      const known = this.#cache.get(key);
      if (known) vectors.set(known, index * dimensions);
      else if (this.#inFlight.has(key)) shared.set(key, this.#inFlight.get(key)!);
      else missing.set(key, texts[index]);
    }
    this.#counts.texts += texts.length;
    this.#counts.cacheHits += texts.length - missing.size - shared.size;
    const found = new Map<string, Float32Array>();
    const own = this.#request([...missing], signal);
    const givenUp = await this.#borrow(shared, found, signal);
    const textOf = new Map(keys.map((key, index) => [key, texts[index]]));
    own.push(
      ...this.#request(
        givenUp.map(key => [key, textOf.get(key)!]),
        signal,
      ),
    );
    for (const [key, vector] of own) found.set(key, await vector);
    for (const [index, key] of keys.entries()) {
      const vector = found.get(key);
      if (vector) vectors.set(vector, index * dimensions);
    }
    return vectors;
  }

  /**
   * As `embed`, but a text that the service refuses (too long for the model, say) does not keep the others from their vectors: it is found
   * by halving the batch. Throws TW_EMBEDDING_FAILED when the service is down or takes nothing at all.
   */
  embedEach(texts: readonly string[], signal?: AbortSignal): Promise<EachEmbedded> {
    const embed = (part: readonly string[]): Promise<Float32Array> => this.embed(part, signal);
    return embedEach(texts, this.provider.dimensions, embed, this.refused);
  }

  /** Takes what others asked for. Returns the texts whose request was given up by whoever had made it, not by the caller. */
  async #borrow(
    shared: ReadonlyMap<string, Promise<Float32Array>>,
    found: Map<string, Float32Array>,
    signal?: AbortSignal,
  ): Promise<string[]> {
    const givenUp: string[] = [];
    for (const [key, vector] of shared) {
      try {
        found.set(key, await vector);
      } catch (error) {
        if (signal?.aborted || isTailwaterError(error)) throw error;
        givenUp.push(key);
      }
    }
    return givenUp;
  }

  stats(): Record<string, number> {
    return {
      ...this.#counts,
      inFlight: this.#active,
      queued: this.#queue.length,
      cached: this.#cache.size,
      refusedTexts: this.refused.size,
      breakerOpen: this.#breaker.isOpen ? 1 : 0,
    };
  }

  /** Starts the batches; every text gets the promise of its own vector. */
  #request(entries: [key: string, text: string][], signal?: AbortSignal): [string, Promise<Float32Array>][] {
    const promised: [string, Promise<Float32Array>][] = [];
    const { dimensions, maxBatchTexts } = this.provider;
    for (let at = 0; at < entries.length; at += maxBatchTexts) {
      const batch = entries.slice(at, at + maxBatchTexts);
      const answer = this.#batch(
        batch.map(([, text]) => text),
        signal,
      );
      for (const [index, [key]] of batch.entries()) {
        const vector = answer.then(vectors => {
          const own = vectors.slice(index * dimensions, (index + 1) * dimensions);
          this.#cache.set(key, own);
          return own;
        });
        const settled = vector.finally(() => this.#inFlight.delete(key));
        settled.catch(() => {});
        this.#inFlight.set(key, settled);
        promised.push([key, settled]);
      }
    }
    return promised;
  }

  async #batch(texts: string[], signal?: AbortSignal): Promise<Float32Array> {
    await this.#slot();
    try {
      return await this.#attempts(texts, signal);
    } finally {
      this.#active--;
      this.#queue.shift()?.();
    }
  }

  async #slot(): Promise<void> {
    if (this.#active >= this.#options.maxConcurrency) await new Promise<void>(resolve => this.#queue.push(resolve));
    this.#active++;
  }

  async #attempts(texts: string[], signal?: AbortSignal): Promise<Float32Array> {
    for (let attempt = 1; ; attempt++) {
      this.#breaker.admit();
      try {
        this.#counts.requests++;
        const vectors = await this.provider.embed(texts, signal);
        this.#breaker.succeeded();
        return vectors;
      } catch (error) {
        if (signal?.aborted) {
          this.#breaker.abandoned();
          throw error;
        }
        this.#counts.failures++;
        // A service that refuses a text is there.
        if (isRefusal(error)) this.#breaker.succeeded();
        else this.#breaker.failed();
        if (attempt >= this.#options.maxAttempts || isHopeless(error)) throw error;
        await this.#options.clock.sleep(this.#delay(attempt, error), signal);
      }
    }
  }

  #delay(attempt: number, error: unknown): number {
    const { baseDelayMs, random } = this.#options;
    const backoffMs = Math.min(MAX_DELAY_MS, baseDelayMs * 2 ** (attempt - 1)) * (0.5 + random.float());
    const hintMs = isTailwaterError(error) ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(backoffMs, hintMs);
  }
}

/** The same request would be refused again: 4xx other than timeout and rate limits. */
function isHopeless(error: unknown): boolean {
  const status = statusOf(error);
  return status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 429;
}
