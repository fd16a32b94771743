/**
 * One life of a simulated process. Everything that reaches its code comes through `enter` (replies, timers, calls of clients), so that a
 * paused process does nothing until it goes on, and a dead one nothing any more, while what it sent may still take effect.
 */
export class Life {
  readonly died: Promise<never>;
  /** Whether its machine stops with it, and so what was not synced is lost. */
  withMachine = false;
  #state: 'running' | 'paused' | 'dead' = 'running';
  #waiting: (() => void)[] = [];
  /** Calls until it dies; the last one takes effect or not. */
  #fuse: { calls: number; lands: boolean } | null = null;
  readonly #reject: (error: unknown) => void;
  readonly #onDeath: () => void;

  constructor(onDeath: () => void) {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.died = promise;
    this.#reject = reject;
    this.#onDeath = onDeath;
  }

  get dead(): boolean {
    return this.#state === 'dead';
  }

  /** Dies at a call from now on. */
  lightFuse(calls: number, lands: boolean): void {
    this.#fuse = { calls, lands };
  }

  die(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#waiting = [];
    this.#reject(new ProcessDied());
    this.#onDeath();
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    for (const run of this.#waiting.splice(0)) this.enter(run);
  }

  /** Runs now, when the process goes on, or never. */
  enter(run: () => void): void {
    if (this.#state === 'running') run();
    else if (this.#state === 'paused') this.#waiting.push(run);
  }

  /** A call to the world outside: the process may die of it, and its answer comes through `enter`. */
  call<T>(send: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#state === 'dead') return promise;
    if (this.#fuse !== null && this.#fuse.calls-- === 0) {
      if (this.#fuse.lands) send().catch(() => {});
      this.die();
      return promise;
    }
    send().then(
      value => this.enter(() => resolve(value)),
      error => this.enter(() => reject(error)),
    );
    return promise;
  }

  /** What a client asks of the process: rejects with ProcessDied when the answer will never come. */
  ask<T>(work: () => Promise<T>): Promise<T> {
    if (this.dead) return this.died;
    const answer = new Promise<T>((resolve, reject) => this.enter(() => work().then(resolve, reject)));
    return Promise.race([answer, this.died]);
  }
}

/** The connection broke: nobody knows what became of the request. */
export class ProcessDied extends Error {}
