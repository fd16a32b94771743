import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../base/index.ts';

/** Disconnects a reader that takes nothing for `stallMs` while something waits for it. */
export class StallGuard {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #onStall: () => void;
  #timer: Timer;
  #waitingAt: number | null = null;

  constructor(response: ServerResponse, clock: Clock, stallMs: number, onStall: () => void) {
    this.#response = response;
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#onStall = onStall;
    this.#timer = this.#later();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #later(): Timer {
    return this.#clock.after(this.#stallMs, () => this.#look());
  }

  #look(): void {
    const sent = this.#response.socket?.bytesWritten ?? 0;
    const waits = this.#response.writableNeedDrain;
    if (waits && this.#waitingAt === sent) {
      this.#onStall();
      this.#response.destroy();
      return;
    }
    this.#waitingAt = waits ? sent : null;
    this.#timer = this.#later();
  }
}
