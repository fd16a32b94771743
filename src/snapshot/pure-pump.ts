import type { Clock } from '../base/index.ts';
import type { EmbeddingProvider } from '../embeddings/index.ts';
import type { StreamTail } from '../streams/index.ts';

/** Rows embedded in one go: a few milliseconds, so that other requests get their turn. */
const SLICE_ROWS = 256;

/** Embeds the rows of a tail with a provider that is a pure function, in slices, the first at once. */
export class PurePump {
  readonly #tail: StreamTail;
  readonly #embedInto: NonNullable<EmbeddingProvider['embedInto']>;
  readonly #clock: Clock;
  #running: Promise<void> | null = null;
  #backlogRows = 0;

  constructor(tail: StreamTail, provider: EmbeddingProvider, clock: Clock) {
    this.#tail = tail;
    this.#embedInto = (text, out, at) => provider.embedInto!(text, out, at);
    this.#clock = clock;
  }

  get backlogRows(): number {
    return this.#backlogRows;
  }

  /** New rows have come: a small write is embedded before this returns. */
  kick(): void {
    if (this.#running === null) this.#slice();
    if (this.#backlogRows > 0) this.#running ??= this.#run();
  }

  /** Resolves when every row that the tail had at the call has its vector. */
  async caughtUp(): Promise<void> {
    if (this.#running !== null) await this.#running;
  }

  #slice(): void {
    this.#backlogRows = this.#tail.embedPending(this.#embedInto, SLICE_ROWS);
  }

  async #run(): Promise<void> {
    while (this.#backlogRows > 0) {
      await this.#clock.turn();
      this.#slice();
    }
    this.#running = null;
  }
}
