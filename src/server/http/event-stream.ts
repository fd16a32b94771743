import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../base/index.ts';

const FLUSH_CHARACTERS = 65_536;

/**
 * Writes server-sent events (WHATWG HTML, section 9.2) to one response. Events are gathered while they come faster than the event loop
 * turns. At most one buffer's worth waits here: push() asks its caller to wait for ready() before it brings more.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #settings: { heartbeatMs: number; stallMs: number };
  readonly #onStall: () => void;
  #text = '';
  #flush: NodeJS.Immediate | null = null;
  #heartbeat: Timer;
  #draining: Promise<void> | null = null;

  constructor(response: ServerResponse, clock: Clock, settings: { heartbeatMs: number; stallMs: number }, onStall: () => void) {
    this.#response = response;
    this.#clock = clock;
    this.#settings = settings;
    this.#onStall = onStall;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    this.#heartbeat = this.#scheduleHeartbeat();
  }

  /** False: the reader is behind; wait for ready(). `data` is one line. */
  push(event: string, data: string, id?: string): boolean {
    this.#text += `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
    if (this.#text.length >= FLUSH_CHARACTERS) this.#write();
    else this.#flush ??= setImmediate(() => this.#write());
    return this.#draining === null;
  }

  /** Resolves when the reader has caught up, or is gone. */
  async ready(): Promise<void> {
    await this.#draining;
  }

  end(): void {
    this.#write();
    this.close();
    this.#response.end();
  }

  /** Stops timers; the response is left alone. */
  close(): void {
    this.#heartbeat.cancel();
    if (this.#flush !== null) clearImmediate(this.#flush);
  }

  #write(): void {
    if (this.#flush !== null) clearImmediate(this.#flush);
    this.#flush = null;
    if (this.#text === '' || this.#response.destroyed) return;
    const accepted = this.#response.write(this.#text);
    this.#text = '';
    this.#heartbeat.cancel();
    this.#heartbeat = this.#scheduleHeartbeat();
    if (!accepted) this.#draining ??= this.#drain();
  }

  #drain(): Promise<void> {
    return new Promise(resolve => {
      const stalled = this.#clock.after(this.#settings.stallMs, () => {
        this.#onStall();
        this.#response.destroy();
      });
      const done = (): void => {
        stalled.cancel();
        this.#response.off('drain', done);
        this.#response.off('close', done);
        this.#draining = null;
        resolve();
      };
      this.#response.on('drain', done);
      this.#response.on('close', done);
    });
  }

  #scheduleHeartbeat(): Timer {
    return this.#clock.after(this.#settings.heartbeatMs, () => {
      if (this.#draining === null && !this.#response.destroyed) this.#response.write(': heartbeat\n\n');
      this.#heartbeat = this.#scheduleHeartbeat();
    });
  }
}
