import type { Clock, Logger, Timer } from '../../base/index.ts';
import type { LiveStream, LiveStreams } from '../../snapshot/index.ts';

export interface TableFollowSettings {
  /** Between looks at the states of a table whose stream is written to. Default 10,000 ms. */
  minPollMs: number;
  /** Between looks at the states of a table of an idle stream, and at most a quarter of its history. Default 1 h. */
  maxPollMs: number;
}

export const TABLE_FOLLOW_DEFAULTS: TableFollowSettings = { minPollMs: 10_000, maxPollMs: 3_600_000 };

const TICK_MS = 1000;
/** A version that nobody else knows to be open stays for the stream's history: it is left in time. */
const HISTORY_SHARE = 4;

interface Schedule {
  everyMs: number;
  nextMs: number;
  /** Of the tail when it was last looked at. */
  lastSegment: number;
  state: number;
}

/** Takes over what other nodes compacted: soon where records came, ever less often where none do. */
export class TableFollower {
  readonly #streams: LiveStreams;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #settings: TableFollowSettings;
  readonly #schedules = new Map<string, Schedule>();
  readonly #counts = { polls: 0, failedPolls: 0, advanced: 0 };
  #timer: Timer | null = null;

  constructor(options: { streams: LiveStreams; clock: Clock; logger: Logger; settings: TableFollowSettings }) {
    this.#streams = options.streams;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#settings = options.settings;
    this.#tick();
  }

  /** Another node said that it committed a state. */
  hinted(incarnation: string): void {
    const schedule = this.#schedules.get(incarnation);
    if (schedule !== undefined) schedule.nextMs = 0;
  }

  stats(): Record<string, number> {
    return { ...this.#counts };
  }

  close(): void {
    this.#timer?.cancel();
  }

  #tick(): void {
    this.#timer = this.#clock.after(TICK_MS, () => {
      const nowMs = this.#clock.nowMs();
      const known = new Set<string>();
      for (const stream of this.#streams.all()) {
        known.add(stream.definition.incarnation);
        if (this.#isDue(stream, nowMs)) void this.#look(stream);
      }
      for (const incarnation of this.#schedules.keys()) if (!known.has(incarnation)) this.#schedules.delete(incarnation);
      this.#tick();
    });
  }

  #isDue(stream: LiveStream, nowMs: number): boolean {
    const { incarnation } = stream.definition;
    const { minPollMs } = this.#settings;
    const { lastSegment } = stream.tail;
    const state = stream.newestState?.n ?? 0;
    const schedule = this.#schedules.get(incarnation);
    if (schedule === undefined) {
      this.#schedules.set(incarnation, { everyMs: minPollMs, nextMs: nowMs + minPollMs, lastSegment, state });
      return false;
    }
    // What is compacted here needs no looking.
    if (state > schedule.state) this.#restart(schedule, nowMs, state);
    if (lastSegment > schedule.lastSegment) {
      schedule.everyMs = minPollMs;
      schedule.nextMs = Math.min(schedule.nextMs, nowMs + minPollMs);
      schedule.lastSegment = lastSegment;
    }
    return nowMs >= schedule.nextMs;
  }

  #restart(schedule: Schedule, nowMs: number, state: number): void {
    schedule.state = state;
    schedule.everyMs = this.#settings.minPollMs;
    schedule.nextMs = nowMs + schedule.everyMs;
  }

  async #look(stream: LiveStream): Promise<void> {
    const { incarnation, historyMs } = stream.definition;
    const schedule = this.#schedules.get(incarnation)!;
    const longestMs = Math.min(this.#settings.maxPollMs, (historyMs ?? Number.POSITIVE_INFINITY) / HISTORY_SHARE);
    schedule.everyMs = Math.max(TICK_MS, Math.min(schedule.everyMs * 2, longestMs));
    schedule.nextMs = this.#clock.nowMs() + schedule.everyMs;
    this.#counts.polls++;
    try {
      await stream.advance({ patient: true });
    } catch (error) {
      this.#counts.failedPolls++;
      this.#logger.debug({ stream: stream.definition.name, reason: String(error) }, 'A table state could not be taken over');
    }
    const state = stream.newestState?.n ?? 0;
    if (state <= schedule.state) return;
    this.#counts.advanced++;
    this.#restart(schedule, this.#clock.nowMs(), state);
  }
}
