import { TailwaterError } from '../../base/index.ts';

/**
 * Bounds what requests may hold at once: their number, and the bytes of their bodies. Beyond either a request is turned away at once
 * (TW_BUSY), because a queue would only hide the overload and use more memory.
 */
export class Admission {
  readonly #maxRequests: number;
  readonly #maxBytes: number;
  #requests = 0;
  #bytes = 0;
  #refused = 0;

  constructor(maxRequests: number, maxBytes: number) {
    this.#maxRequests = maxRequests;
    this.#maxBytes = maxBytes;
  }

  enter(): void {
    if (this.#requests >= this.#maxRequests) throw this.#busy(`${this.#requests} requests are in progress, the most allowed.`);
    this.#requests++;
  }

  /** Ends what enter() began, with the bytes that were reserved since. */
  leave(bytes: number): void {
    this.#requests--;
    this.#bytes -= bytes;
  }

  reserve(bytes: number): void {
    if (this.#bytes + bytes > this.#maxBytes) {
      throw this.#busy(`Request bodies in progress hold ${this.#bytes} of ${this.#maxBytes} bytes.`);
    }
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  stats(): { requests: number; bodyBytes: number; refused: number } {
    return { requests: this.#requests, bodyBytes: this.#bytes, refused: this.#refused };
  }

  #busy(detail: string): TailwaterError {
    this.#refused++;
    return new TailwaterError('TW_BUSY', { detail, retryAfterMs: 1000 });
  }
}
