import { type Clock, TailwaterError } from '../base/index.ts';

/**
 * Stops asking a service that keeps failing: after `failures` in a row it is open for `openMs`, then one attempt decides whether it
 * closes again.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #failures: number;
  readonly #openMs: number;
  #inARow = 0;
  #openUntilMs = Number.NEGATIVE_INFINITY;
  #probing = false;

  constructor(clock: Clock, failures: number, openMs: number) {
    this.#clock = clock;
    this.#failures = failures;
    this.#openMs = openMs;
  }

  get isOpen(): boolean {
    return this.#inARow >= this.#failures;
  }

  /** Throws TW_EMBEDDING_FAILED with retryAfterMs while the service is given its rest. */
  admit(): void {
    if (!this.isOpen) return;
    const leftMs = this.#openUntilMs - this.#clock.monotonicMs();
    if (leftMs <= 0 && !this.#probing) {
      this.#probing = true;
      return;
    }
    throw new TailwaterError('TW_EMBEDDING_FAILED', {
      detail: `The embedding service failed ${this.#inARow} times in a row; it is not asked again for a while.`,
      retryAfterMs: Math.max(leftMs, 100),
    });
  }

  succeeded(): void {
    this.#inARow = 0;
    this.#probing = false;
  }

  failed(): void {
    this.#inARow++;
    this.#probing = false;
    if (this.isOpen) this.#openUntilMs = this.#clock.monotonicMs() + this.#openMs;
  }

  /** The attempt was given up by the caller: it says nothing about the service. */
  abandoned(): void {
    this.#probing = false;
  }
}
