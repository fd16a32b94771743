/** How many immediates wait ready at a time: promises settle completely between two of them, and a turn of the event loop costs more. */
const READY = 64;

/** Waits until every promise that can settle without a further event has done so. */
export class Settling {
  #ready = 0;
  #waiting: (() => void) | null = null;

  settled(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting = resolve;
      if (this.#ready === 0) this.#refill();
    });
  }

  #refill(): void {
    this.#ready = READY;
    for (let i = 0; i < READY; i++) setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#ready--;
    const resolve = this.#waiting;
    this.#waiting = null;
    resolve?.();
    if (this.#ready === 0) queueMicrotask(() => this.#afterwards());
  }

  /** The last of the ready ones may have woken someone who waits again. */
  #afterwards(): void {
    if (this.#waiting !== null && this.#ready === 0) this.#refill();
  }
}
