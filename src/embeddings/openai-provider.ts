import OpenAI, { APIConnectionTimeoutError, APIError } from 'openai';
import { TailwaterError } from '../base/index.ts';
import type { EmbeddingProvider } from './provider.ts';

export interface OpenAiOptions {
  model: string;
  dimensions: number;
  /** Any OpenAI-compatible endpoint; default OpenAI's own. */
  baseURL?: string;
  apiKey?: string;
  /** Of one request; default 30,000. */
  timeoutMs?: number;
  /** Default 256. */
  maxBatchTexts?: number;
}

/** Embeddings of an OpenAI-compatible service. Retries are the Embedder's: the package's own are off, so that Retry-After is seen there. */
export class OpenAiProvider implements EmbeddingProvider {
  readonly name = 'openai';
  readonly model: string;
  readonly dimensions: number;
  readonly maxBatchTexts: number;
  readonly pure = false;
  readonly #client: OpenAI;

  constructor(options: OpenAiOptions) {
    this.model = options.model;
    this.dimensions = options.dimensions;
    this.maxBatchTexts = options.maxBatchTexts ?? 256;
    this.#client = new OpenAI({
      apiKey: options.apiKey ?? 'none',
      maxRetries: 0,
      timeout: options.timeoutMs ?? 30_000,
      ...(options.baseURL === undefined ? {} : { baseURL: options.baseURL }),
    });
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array> {
    try {
      const answer = await this.#client.embeddings.create(
        { model: this.model, input: [...texts], dimensions: this.dimensions, encoding_format: 'float' },
        signal ? { signal } : {},
      );
      return this.#collect(answer.data, texts.length);
    } catch (error) {
      throw error instanceof TailwaterError ? error : failureOf(error);
    }
  }

  #collect(data: readonly { index: number; embedding: number[] }[], count: number): Float32Array {
    if (data.length !== count) throw failed(`it returned ${data.length} vectors for ${count} texts`);
    const vectors = new Float32Array(count * this.dimensions);
    for (const { index, embedding } of data) {
      if (!Number.isInteger(index) || index < 0 || index >= count)
        throw failed(`it returned a vector for text ${index} of ${count}`);
      if (embedding.length !== this.dimensions) {
        throw failed(`model "${this.model}" returned ${embedding.length} dimensions instead of ${this.dimensions}`);
      }
      vectors.set(unit(embedding), index * this.dimensions);
    }
    return vectors;
  }
}

function unit(embedding: readonly number[]): number[] {
  const length = Math.sqrt(embedding.reduce((sum, x) => sum + x * x, 0));
  if (!Number.isFinite(length)) throw failed('it returned a vector that is not of finite numbers');
  return length === 0 ? [...embedding] : embedding.map(x => x / length);
}

/** What the service said, without the request: its headers carry the key. */
function failureOf(error: unknown): TailwaterError {
  if (error instanceof APIConnectionTimeoutError) return failed('it did not answer in time');
  if (!(error instanceof APIError)) return failed(error instanceof Error ? error.message : String(error));
  const retryAfterMs = retryAfterOf(error.headers);
  const status = error.status === undefined ? 'the connection failed' : `it answered with status ${error.status}`;
  return new TailwaterError('TW_EMBEDDING_FAILED', {
    detail: `The embedding service failed: ${status}.`,
    data: { status: error.status ?? null },
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date relative to the answer's own. */
function retryAfterOf(headers: Headers | undefined): number | null {
  const milliseconds = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds;
  const value = headers?.get('retry-after');
  if (!value) return null;
  const seconds = Number(value);
  if (seconds >= 0) return seconds * 1000;
  const untilMs = Date.parse(value) - Date.parse(headers?.get('date') ?? '');
  return untilMs >= 0 ? untilMs : null;
}

function failed(what: string): TailwaterError {
  return new TailwaterError('TW_EMBEDDING_FAILED', { detail: `The embedding service failed: ${what}.` });
}
