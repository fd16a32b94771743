/**
 * Runs one probe at a time and shares it: a caller gets the answer of a probe that was sent after the call, never of one already
 * under way; everyone who calls before it is sent shares it (J5).
 */
export class Coalesced {
  readonly #probe: () => Promise<void>;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(probe: () => Promise<void>) {
    this.#probe = probe;
  }

  request(): Promise<void> {
    this.#next ??= this.#sendAfter(this.#running);
    return this.#next;
  }

  async #sendAfter(running: Promise<void> | null): Promise<void> {
    // Also without a running probe: callers of the same moment gather here.
    await running?.catch(() => {});
    await null;
    this.#running = this.#next;
    this.#next = null;
    await this.#probe();
  }
}
