import { type Clock, isTailwaterError, type TailwaterError } from '../base/index.ts';
import { VectorCache } from './vector-cache.ts';

/** One vector per text, in order; texts that the service refuses have none. */
export interface EachEmbedded {
  vectors: Float32Array;
  hasVector: Uint8Array;
  /** What the service said of one of the refused; null when there are none. */
  refusal: TailwaterError | null;
}

/** Bad request, content too large, unprocessable. */
const REFUSALS = [400, 413, 422];
/** A service that has refused this many requests of a call and taken none refuses the model or its settings, not the texts. */
const MAX_REFUSALS_AT_FIRST = 16;
const MAX_REMEMBERED = 20_000;
const REMEMBERED_MS = 3_600_000;

/** Texts that a service refused, by content: they are not sent again for an hour. Bounded; the oldest are forgotten. */
export class RefusedTexts {
  readonly #clock: Clock;
  readonly #byContent = new Map<string, { refusal: TailwaterError; untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#byContent.size;
  }

  of(text: string): TailwaterError | null {
    if (this.#byContent.size === 0) return null;
    const known = this.#byContent.get(VectorCache.keyOf(text));
    return known !== undefined && known.untilMs > this.#clock.nowMs() ? known.refusal : null;
  }

  add(text: string, refusal: TailwaterError): void {
    const key = VectorCache.keyOf(text);
    this.#byContent.delete(key);
    if (this.#byContent.size >= MAX_REMEMBERED) this.#byContent.delete(this.#byContent.keys().next().value!);
    this.#byContent.set(key, { refusal, untilMs: this.#clock.nowMs() + REMEMBERED_MS });
  }
}

/** Embeds what the service takes, and finds what it refuses by halving. Throws what `embed` throws for other reasons. */
export async function embedEach(
  texts: readonly string[],
  dimensions: number,
  embed: (texts: readonly string[]) => Promise<Float32Array>,
  refused: RefusedTexts,
): Promise<EachEmbedded> {
  const vectors = new Float32Array(texts.length * dimensions);
  const each: EachEmbedded = { vectors, hasVector: new Uint8Array(texts.length), refusal: null };
  let requestsTaken = 0;
  let requestsRefused = 0;
  const embedPart = async (indices: readonly number[]): Promise<void> => {
    if (indices.length === 0) return;
    const part = indices.map(index => texts[index]);
    try {
      const answer = await embed(part);
      requestsTaken++;
      for (const [at, index] of indices.entries()) {
        each.vectors.set(answer.subarray(at * dimensions, (at + 1) * dimensions), index * dimensions);
        each.hasVector[index] = 1;
      }
    } catch (error) {
      if (!isRefusal(error) || (requestsTaken === 0 && ++requestsRefused > MAX_REFUSALS_AT_FIRST)) throw error;
      if (indices.length > 1) {
        const half = indices.length >> 1;
        await embedPart(indices.slice(0, half));
        await embedPart(indices.slice(half));
        return;
      }
      each.refusal = error;
      refused.add(part[0], error);
    }
  };
  const left = [...texts.keys()].filter(index => {
    const refusal = refused.of(texts[index]);
    each.refusal ??= refusal;
    return refusal === null;
  });
  await embedPart(left);
  return each;
}

/** The service is there and does not take these texts. */
export function isRefusal(error: unknown): error is TailwaterError {
  return REFUSALS.includes(statusOf(error));
}

/** The HTTP status that a service answered with; 0 when there was none. */
export function statusOf(error: unknown): number {
  return isTailwaterError(error) ? Number(error.data?.status ?? 0) : 0;
}
