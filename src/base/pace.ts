import type { Clock } from './clock.ts';

/** Lets other work of the thread have its turn during long computations. */
export class Pace {
  readonly #clock: Clock;
  readonly #sliceMs: number;
  #startedMs: number;

  constructor(clock: Clock, sliceMs: number) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
    this.#startedMs = clock.nowMs();
  }

  /** True when the slice is used up; then await `rest()`. */
  get due(): boolean {
    return this.#clock.nowMs() - this.#startedMs >= this.#sliceMs;
  }

  async rest(): Promise<void> {
    await this.#clock.turn();
    this.#startedMs = this.#clock.nowMs();
  }
}
