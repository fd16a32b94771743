import { type Clock, isTailwaterError, type Logger, TailwaterError } from '../../base/index.ts';
import { type Consistency, headsOf, type LiveStreams, type Pinned, type Pinner } from '../../snapshot/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { ViewPlan } from '../plan.ts';
import { ViewState, type ViewStateOptions } from '../state/view-state.ts';
import type { Checkpoints } from './checkpoints.ts';
import { readNext } from './read-source.ts';

/** Records after which the state is put into the object store. */
const CHECKPOINT_EVENTS = 100_000;
const RETRY_MS = 1000;

export interface LiveViewOptions {
  name: string;
  plan: ViewPlan;
  source: StreamDefinition;
  streams: LiveStreams;
  pinner: Pinner;
  checkpoints: Checkpoints;
  clock: Clock;
  logger: Logger;
}

export interface ViewProgress {
  /** Records read of those there are. */
  read: number;
  total: number;
  caughtUp: boolean;
}

/**
 * A view on this node: its state, and the loop that applies what comes. Whoever reads takes turns with the loop and brings the state to exactly the
 * instant that its request pinned, so an answer has a position and misses nothing before it.
 */
export class LiveView {
  readonly #options: LiveViewOptions;
  #state: ViewState;
  #next: number[] = [];
  #heads: number[] = [];
  /** The instant that a state which was begun from nothing is read from, until it is reached. */
  #base: Pinned | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> | null = null;
  #caughtUp = false;
  #sinceCheckpoint = 0;
  readonly #stop = new AbortController();

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.#state = new ViewState(options.plan, this.#stateOptions);
  }

  get plan(): ViewPlan {
    return this.#options.plan;
  }

  get source(): StreamDefinition {
    return this.#options.source;
  }

  get progress(): ViewProgress {
    const sum = (offsets: readonly number[]): number => offsets.reduce((total, offset) => total + offset, 0);
    return { read: sum(this.#next), total: sum(this.#heads.map(head => head + 1)), caughtUp: this.#caughtUp };
  }

  get stats(): Record<string, number> {
    return { ...this.#state.stats() };
  }

  get #stateOptions(): ViewStateOptions {
    return { upsert: this.#options.source.kind === 'upsert' };
  }

  /** Restores, catches up, then follows. `onCaughtUp` is called once. */
  start(onCaughtUp: () => void = () => {}): void {
    this.#loop ??= this.#run(onCaughtUp);
  }

  async #run(onCaughtUp: () => void): Promise<void> {
    const { streams, source, clock, logger, name } = this.#options;
    // The first turn: whoever reads waits for it.
    await this.#inTurn(() => this.#restore());
    while (!this.#stop.signal.aborted) {
      try {
        const wake = streams.require(source).nextRecord(this.#stop.signal);
        await this.#catchUp();
        if (!this.#caughtUp) onCaughtUp();
        this.#caughtUp = true;
        if (this.#sinceCheckpoint >= CHECKPOINT_EVENTS) await this.checkpoint();
        await wake;
      } catch (error) {
        if (this.#stop.signal.aborted || isTailwaterError(error, 'TW_STREAM_NOT_FOUND', 'TW_CLOSED')) return;
        logger.warn({ view: name, reason: String(error) }, 'A feature view could not follow its stream; it tries again');
        await clock.sleep(RETRY_MS, this.#stop.signal).catch(() => {});
      }
    }
  }

  async #restore(): Promise<void> {
    const { checkpoints, name, source, plan } = this.#options;
    const checkpoint = await checkpoints.read(name, source.incarnation, plan, this.#stateOptions).catch(() => null);
    if (checkpoint === null) return;
    this.#state = checkpoint.state;
    this.#next = checkpoint.next;
  }

  /** In turns of one page each, so that readers of a view that is nearly there do not wait for all of it. */
  async #catchUp(): Promise<void> {
    for (let more = true; more && !this.#stop.signal.aborted; ) {
      more = await this.#inTurn(async () => {
        if (this.#base !== null) return this.#applyBase(this.#base);
        return (await this.#applyNext(await this.#pin(undefined))) > 0;
      });
    }
  }

  #pin(consistency: Consistency | undefined, deadlineAtMs = this.#options.clock.nowMs() + 10_000): Promise<Pinned> {
    return this.#options.pinner.pin(this.#options.source, consistency, deadlineAtMs);
  }

  /** Returns the number of records that were applied: 0 when the state is of that instant. */
  async #applyNext(pinned: Pinned): Promise<number> {
    this.#heads = headsOf(pinned);
    const next = [...this.#next];
    let gap = false;
    const events = await readNext(pinned, next, () => {
      gap = true;
    });
    if (gap && this.#mayHoldTheGone(pinned)) {
      this.#beginAnew(pinned);
      return this.#applyNext(pinned);
    }
    if (this.#isNew) this.#base = pinned;
    // Together, without a wait between: the state is always of a position.
    for (const event of events) this.#state.apply(event);
    this.#next = next;
    this.#sinceCheckpoint += events.length;
    return events.length;
  }

  get #isNew(): boolean {
    return this.#next.every(offset => offset === 0);
  }

  /**
   * Where records are gone, an update or a deletion may be among them that took back what was read under an earlier instant. What was read
   * under one and the same instant is consistent, whatever is gone from it.
   */
  #mayHoldTheGone(pinned: Pinned): boolean {
    return this.#options.source.kind === 'upsert' && !this.#isNew && this.#base !== pinned;
  }

  #beginAnew(pinned: Pinned): void {
    const { name, logger } = this.#options;
    logger.warn({ view: name }, 'A feature view is built anew: updates and deletions that it had not read are no longer kept');
    this.#state = new ViewState(this.#options.plan, this.#stateOptions);
    this.#next = [];
    this.#base = pinned;
  }

  /** One page of the instant that a new state is read from; false once it is reached. An instant that is gone is given up for a later one. */
  async #applyBase(base: Pinned): Promise<boolean> {
    try {
      const applied = await this.#applyNext(base);
      if (applied === 0) this.#base = null;
      return true;
    } catch (error) {
      if (isTailwaterError(error, 'TW_HISTORY_EXPIRED', 'TW_SNAPSHOT_EXPIRED')) this.#beginAnew(await this.#pin(undefined));
      throw error;
    }
  }

  /** Calls `read` with the state at exactly the pinned instant. Throws TW_NOT_YET_VISIBLE when it cannot be reached by the deadline. */
  at<T>(consistency: Consistency | undefined, deadlineAtMs: number, read: (state: ViewState, pinned: Pinned) => T): Promise<T> {
    return this.#inTurn(async () => {
      const pinned = await this.#pin(consistency, deadlineAtMs);
      return read(await this.#reach(pinned, deadlineAtMs), pinned);
    });
  }

  /** Keeps the state where it is until `work` is done, which brings it to an instant that was pinned meanwhile. */
  hold<T>(work: (reach: (pinned: Pinned, deadlineAtMs: number) => Promise<ViewState>) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      let reaching: Promise<unknown> = Promise.resolve();
      try {
        return await work((pinned, deadlineAtMs) => {
          const reached = reaching.then(() => this.#reach(pinned, deadlineAtMs));
          reaching = reached.catch(() => {});
          return reached;
        });
      } finally {
        // Whoever is next must not find records being applied.
        await reaching;
      }
    });
  }

  async #reach(pinned: Pinned, deadlineAtMs: number): Promise<ViewState> {
    while (this.#base !== null) {
      await this.#applyBase(this.#base);
      if (this.#options.clock.nowMs() > deadlineAtMs) throw this.#notYet();
    }
    while ((await this.#applyNext(pinned)) > 0) {
      if (this.#options.clock.nowMs() > deadlineAtMs) throw this.#notYet();
    }
    return this.#state;
  }

  #notYet(): TailwaterError {
    const { read, total } = this.progress;
    return new TailwaterError('TW_NOT_YET_VISIBLE', {
      detail: `View "${this.#options.name}" has read ${read} of ${total} records of its stream.`,
      data: { read, total },
      retryAfterMs: 1000,
    });
  }

  async checkpoint(): Promise<void> {
    const { checkpoints, name, source } = this.#options;
    await this.#inTurn(() => checkpoints.write(name, source.incarnation, this.#state, this.#next));
    this.#sinceCheckpoint = 0;
  }

  /** One after another, whatever became of the one before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** What was applied since the last checkpoint is put away, unless the view is no longer wanted. */
  async close(options: { keep: boolean } = { keep: true }): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    if (!options.keep || this.#sinceCheckpoint === 0) return;
    await this.checkpoint().catch(error => {
      this.#options.logger.warn({ view: this.#options.name, reason: String(error) }, 'A feature view has no new checkpoint');
    });
  }
}
