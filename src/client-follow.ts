import { type Clock, isTailwaterError, TailwaterError } from './base/index.ts';
import { EventParser, type ServerEvent } from './client-events.ts';
import { type ClientTransport, type HttpRequest, problemOfEvent } from './client-transport.ts';

/** Servers send a heartbeat every 15 seconds; three missed ones mean that the connection is gone. */
const SILENCE_MS = 45_000;
/** In a row, without anything received in between: about twenty seconds of a server that is away. */
const MAX_LOST_CONNECTIONS = 10;
const RESUMABLE = ['TW_UNREACHABLE', 'TW_BUSY', 'TW_RATE_LIMITED', 'TW_CLOSED', 'TW_STORAGE_UNAVAILABLE'] as const;

export interface FollowRequest {
  /** The token to go on after; undefined: none is known yet. */
  after: string | undefined;
  /** What is sent to go on after a token. */
  request(after: string | undefined): HttpRequest;
  signal: AbortSignal;
}

/** An event that a reader can go on after. */
export type ResumableEvent = ServerEvent & { id: string };

/** Events of a server, without gaps and without repeating one, over as many connections as it takes. Ends when the signal aborts. */
export class ClientFollower {
  readonly #transport: ClientTransport;
  readonly #clock: Clock;

  constructor(transport: ClientTransport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  async *events({ after: given, request, signal }: FollowRequest): AsyncGenerator<ResumableEvent, void, undefined> {
    let after = given;
    let failures = 0;
    while (!signal.aborted) {
      const lost = yield* this.#connection(request(after), signal, token => {
        after = token;
        failures = 0;
      });
      if (signal.aborted) return;
      failures++;
      if (lost !== null && (failures > MAX_LOST_CONNECTIONS || !isTailwaterError(lost, ...RESUMABLE))) throw lost;
      await this.#transport.pause(failures, lost?.retryAfterMs, signal).catch(() => {});
    }
  }

  /** One connection's worth of events. Returns why it ended: null when the server said goodbye or hung up. */
  async *#connection(
    request: HttpRequest,
    signal: AbortSignal,
    onToken: (token: string) => void,
  ): AsyncGenerator<ResumableEvent, TailwaterError | null, undefined> {
    const events = this.#received(request, signal);
    try {
      for (;;) {
        const next = await events.next().catch(error => error as TailwaterError);
        if (next instanceof TailwaterError) return next;
        if (next.done === true) return null;
        const { event, data, id } = next.value;
        if (event === 'problem') return problemOfEvent(data);
        if (id === null) continue;
        onToken(id);
        if (event !== 'ready') yield { event, data, id };
      }
    } finally {
      await events.return(undefined);
    }
  }

  async *#received(request: HttpRequest, signal: AbortSignal): AsyncGenerator<ServerEvent, undefined, undefined> {
    const silent = new AbortController();
    const parser = new EventParser();
    let timer = this.#clock.after(SILENCE_MS, () => silent.abort());
    try {
      const body = await this.#transport.open(request, AbortSignal.any([signal, silent.signal]));
      for await (const chunk of body) {
        timer.cancel();
        timer = this.#clock.after(SILENCE_MS, () => silent.abort());
        yield* parser.push(chunk);
      }
    } catch (error) {
      if (error instanceof TailwaterError) throw error;
      throw new TailwaterError('TW_UNREACHABLE', { detail: 'The connection of a live follow was lost.', cause: error });
    } finally {
      timer.cancel();
    }
  }
}
