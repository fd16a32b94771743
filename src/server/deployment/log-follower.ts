import type { Clock, Timer } from '../../base/index.ts';
import type { LogShard } from '../../streams/index.ts';

export interface LogFollowSettings {
  /** Between looks at a log while someone waits for records; twice that where others write and nobody waits. Default 1,000 ms. */
  minPollMs: number;
  /** Between looks at a log that nobody else writes to, while nobody waits for records. Default 60,000 ms. */
  maxPollMs: number;
}

export const LOG_FOLLOW_DEFAULTS: LogFollowSettings = { minPollMs: 1000, maxPollMs: 60_000 };

export interface LogFollowerOptions {
  shard: LogShard;
  /** A strong read of the shard: two requests when nothing is new. */
  refresh(): Promise<void>;
  /** Whether someone waits for new records: then the log is looked at as often as one that is written to. */
  isAwaited(): boolean;
  clock: Clock;
  settings: LogFollowSettings;
}

/** Reads what other nodes append to a log shard also when nobody asks, ever less often where nothing comes. */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #counts = { polls: 0, foreignSegments: 0, failedPolls: 0 };
  #everyMs: number;
  #timer: Timer | null = null;
  #polling: Promise<void> | null = null;
  #foreign = 0;
  #own = 0;
  #closed = false;
  /** The newest entry that others spoke of while a look was on its way. */
  #hintedSeq = -1;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
    this.#everyMs = options.settings.minPollMs;
    this.#foreign = this.#foreignSegments();
    this.#schedule();
  }

  /** Another node said that this entry exists. */
  hinted(seq: number): void {
    if (seq <= this.#options.shard.seq) return;
    if (this.#polling !== null) this.#hintedSeq = seq;
    this.#pollNow();
  }

  stats(): Record<string, number> {
    return { ...this.#counts, pollEveryMs: this.#everyMs };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#polling;
  }

  #schedule(): void {
    if (this.#closed) return;
    const { clock, settings, isAwaited } = this.#options;
    const everyMs = isAwaited() ? settings.minPollMs : this.#everyMs;
    // Looked at again soon all the same: someone may begin to wait.
    const leftMs = Math.min(everyMs, settings.minPollMs);
    let waitedMs = 0;
    const wait = (): void => {
      this.#timer = clock.after(leftMs, () => {
        waitedMs += leftMs;
        if (waitedMs < this.#everyMs && !isAwaited()) wait();
        else if (this.#hasCommitted()) this.#schedule();
        else this.#pollNow();
      });
    };
    wait();
  }

  #pollNow(): void {
    if (this.#closed || this.#polling !== null) return;
    this.#timer?.cancel();
    this.#polling = this.#poll().finally(() => {
      this.#polling = null;
      const hintedSeq = this.#hintedSeq;
      this.#hintedSeq = -1;
      if (hintedSeq > this.#options.shard.seq) this.#pollNow();
      else this.#schedule();
    });
  }

  async #poll(): Promise<void> {
    const { refresh, settings } = this.#options;
    this.#counts.polls++;
    try {
      await refresh();
    } catch {
      this.#counts.failedPolls++;
    }
    const foreign = this.#foreignSegments();
    const isNew = foreign > this.#foreign;
    this.#counts.foreignSegments += foreign - this.#foreign;
    this.#foreign = foreign;
    // Several segments then come in one look.
    const nextMs = isNew ? settings.minPollMs * 2 : this.#everyMs * 2;
    this.#everyMs = Math.min(nextMs, settings.maxPollMs);
  }

  /** A commit of this node since it looked last: it was at the head then, without a request more. */
  #hasCommitted(): boolean {
    const own = this.#options.shard.stats().segments;
    const before = this.#own;
    this.#own = own;
    return own > before && this.#foreignSegments() === this.#foreign;
  }

  /** Segments of others that were applied since this node opened, plus a constant. */
  #foreignSegments(): number {
    return this.#options.shard.seq - this.#options.shard.stats().segments;
  }
}
