import { type Clock, TailwaterError } from '../../base/index.ts';

const MAX_WAITING = 64;

/** Bounds how many queries run at once; the others wait in turn, a bounded number of them. */
export class Slots {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #refused = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves with what gives the slot back. TW_BUSY when too many wait already, TW_DEADLINE when none is free in time. */
  async take(clock: Clock, deadlineMs: number): Promise<() => void> {
    if (this.#running >= this.#max) await this.#wait(clock, deadlineMs);
    else this.#running++;
    return () => this.#give();
  }

  stats(): Record<string, number> {
    return { running: this.#running, waiting: this.#waiting.length, refused: this.#refused };
  }

  #wait(clock: Clock, deadlineMs: number): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#refused++;
      throw new TailwaterError('TW_BUSY', {
        detail: `${this.#waiting.length} queries wait already, the most allowed.`,
        retryAfterMs: 1000,
      });
    }
    return new Promise((resolve, reject) => {
      const timer = clock.after(deadlineMs, () => {
        this.#waiting.splice(this.#waiting.indexOf(wake), 1);
        reject(new TailwaterError('TW_DEADLINE', { detail: `The query waited ${deadlineMs} ms for others and did not begin.` }));
      });
      const wake = () => {
        timer.cancel();
        resolve();
      };
      this.#waiting.push(wake);
    });
  }

  /** The slot goes to whoever waits longest. */
  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
