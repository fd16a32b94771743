/**
 * The port of everything that turns texts into vectors. Implementations say how they batch; callers go through `Embedder`,
 * which adds the cache, retries, rate limits and the circuit breaker.
 */
export interface EmbeddingProvider {
  readonly name: string;
  readonly model: string;
  readonly dimensions: number;
  /** At most this many texts in one call of `embed`. */
  readonly maxBatchTexts: number;
  /** True when `embed` is a pure, cheap function of the text: its vectors need no cache and no persistence. */
  readonly pure: boolean;
  /** One unit-length vector per text, `texts.length * dimensions` floats. Throws TW_EMBEDDING_FAILED, with retryAfterMs when the service said so. */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array>;
  /** Present on pure providers: writes the vector of one text at `out[at …]` at once. */
  embedInto?(text: string, out: Float32Array, at: number): void;
}
