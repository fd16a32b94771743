import { type Clock, isTailwaterError } from '../../base/index.ts';
import type { ToolApi } from '../../tools/index.ts';
import type { Identity } from '../access/authenticator.ts';
import { requireReach } from '../access/limited-reads.ts';

interface Watch {
  listeners: Set<() => void>;
  stop: AbortController;
  /** Settles once no later record can be missed. */
  started: Promise<void>;
}

const RETRY_MS = 1000;

export type Watchable = Pick<StreamChanges, 'watch'>;

/** What is told to a key of some streams: to watch another is TW_FORBIDDEN. */
export function reachableChanges(changes: StreamChanges, identity: Identity | null): Watchable {
  if (identity === null || identity.streams === null) return changes;
  return {
    async watch(stream, listener) {
      requireReach(identity, stream);
      return changes.watch(stream, listener);
    },
  };
}

/**
 * Tells that a stream has new records, without reading them: it waits for one, tells, and looks again after `coalesceMs`. However many
 * listen, a stream is followed once.
 */
export class StreamChanges {
  readonly #api: ToolApi;
  readonly #clock: Clock;
  readonly #coalesceMs: number;
  readonly #watches = new Map<string, Watch>();

  constructor(api: ToolApi, clock: Clock, coalesceMs: number) {
    this.#api = api;
    this.#clock = clock;
    this.#coalesceMs = coalesceMs;
  }

  /** Every record acknowledged after this resolves is told of. TW_STREAM_NOT_FOUND. The returned function ends it. */
  async watch(stream: string, listener: () => void): Promise<() => void> {
    const watch = this.#watches.get(stream) ?? this.#start(stream);
    watch.listeners.add(listener);
    const end = (): void => {
      watch.listeners.delete(listener);
      if (watch.listeners.size === 0) this.#end(stream, watch);
    };
    try {
      await watch.started;
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  /** Streams that are followed at the moment. */
  get size(): number {
    return this.#watches.size;
  }

  close(): void {
    for (const [stream, watch] of this.#watches) this.#end(stream, watch);
  }

  #start(stream: string): Watch {
    const stop = new AbortController();
    const position = this.#position(stream);
    const watch: Watch = { listeners: new Set(), stop, started: position.then(() => {}) };
    this.#watches.set(stream, watch);
    position.then(token => this.#run(stream, watch, token)).catch(() => this.#end(stream, watch));
    return watch;
  }

  #end(stream: string, watch: Watch): void {
    watch.stop.abort();
    if (this.#watches.get(stream) === watch) this.#watches.delete(stream);
  }

  async #run(stream: string, watch: Watch, token: string): Promise<void> {
    const { signal } = watch.stop;
    let after = token;
    while (!signal.aborted) {
      try {
        if (!(await this.#changed(stream, after, signal))) return;
        // The position comes before the news: what is written after it is told of by the next round.
        after = await this.#position(stream);
        for (const tell of watch.listeners) tell();
        await this.#clock.sleep(this.#coalesceMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) return this.#gone(stream, watch);
        after = await this.#recover(stream, watch, after);
      }
    }
  }

  /** True with the first record after `after`; false when nobody listens any more. */
  async #changed(stream: string, after: string, signal: AbortSignal): Promise<boolean> {
    for await (const _ of this.#api.follow(stream, { after, signal })) return true;
    if (!signal.aborted) await this.#clock.sleep(RETRY_MS, signal);
    return !signal.aborted;
  }

  /** What happened meanwhile is not known, so it is told. */
  async #recover(stream: string, watch: Watch, after: string): Promise<string> {
    await this.#clock.sleep(RETRY_MS, watch.stop.signal).catch(() => {});
    const token = await this.#position(stream).catch(() => after);
    if (!watch.stop.signal.aborted && token !== after) for (const tell of watch.listeners) tell();
    return token;
  }

  #gone(stream: string, watch: Watch): void {
    for (const tell of watch.listeners) tell();
    this.#end(stream, watch);
  }

  async #position(stream: string): Promise<string> {
    return (await this.#api.read(stream, { from: 'latest', limit: 1 })).token;
  }
}
