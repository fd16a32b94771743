import type { IncomingMessage, ServerResponse } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { isInitializeRequest, type McpServer, type Server } from '@modelcontextprotocol/server';
import { type Clock, type Random, randomUuid, type Timer } from '../../base/index.ts';
import type { Identity } from '../access/authenticator.ts';
import { JSON_RPC, sendJsonRpcError } from './json-rpc.ts';
import type { McpSettings } from './settings.ts';

interface Session {
  /** Of the key that opened it, which alone may use it; null: nobody is asked for one. */
  owner: string | null;
  transport: NodeStreamableHTTPServerTransport;
  server: McpServer | Server;
  /** Requests and open streams. */
  inFlight: number;
  lastUsedMs: number;
}

export interface SessionsOptions {
  create: (identity: Identity | null) => Promise<McpServer | Server> | McpServer | Server;
  clock: Clock;
  random: Random;
  settings: McpSettings;
  maxBodyBytes: number;
  onError: (error: Error) => void;
}

/** Clients of 2025-11-25, whose requests belong to sessions. Bounded in number; the silent ones end. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  #opening = 0;
  #sweep: Timer;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#sweep = this.#sweepLater();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** `body`: parsed; undefined when the request has none. `identity`: who sent it. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
    identity: Identity | null = null,
  ): Promise<void> {
    const id = request.headers['mcp-session-id'];
    if (id === undefined) return this.#open(request, response, body, identity);
    const session = typeof id === 'string' ? this.#sessions.get(id) : undefined;
    if (session === undefined || session.owner !== ownerOf(identity)) {
      sendJsonRpcError(response, 404, JSON_RPC.sessionNotFound, 'There is no such session: it ended. Initialize a new one.');
      return;
    }
    await this.#serve(session, request, response, body);
  }

  async close(): Promise<void> {
    this.#sweep.cancel();
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map(session => this.#closeQuietly(session)));
  }

  async #open(request: IncomingMessage, response: ServerResponse, body: unknown, identity: Identity | null): Promise<void> {
    if (!isInitializeRequest(body)) {
      sendJsonRpcError(response, 400, JSON_RPC.badRequest, 'Without an Mcp-Session-Id only `initialize` can be asked.');
      return;
    }
    if (!this.#makeRoom()) {
      response.setHeader('retry-after', '5');
      sendJsonRpcError(
        response,
        503,
        JSON_RPC.busy,
        `${this.#sessions.size} sessions are in use, the most allowed. Try again later.`,
      );
      return;
    }
    this.#opening++;
    let session: Session | null = null;
    try {
      session = await this.#connect(identity);
      await this.#serve(session, request, response, body);
    } finally {
      this.#opening--;
      if (session !== null && session.transport.sessionId === undefined) await this.#closeQuietly(session);
    }
  }

  async #connect(identity: Identity | null): Promise<Session> {
    const { create, clock, random, maxBodyBytes } = this.#options;
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUuid(random),
      onsessioninitialized: id => void this.#sessions.set(id, session),
      onsessionclosed: id => void this.#sessions.delete(id),
      maxRequestBodySize: maxBodyBytes,
    });
    const used = { inFlight: 0, lastUsedMs: clock.nowMs() };
    const session: Session = { owner: ownerOf(identity), transport, server: await create(identity), ...used };
    await session.server.connect(transport);
    return session;
  }

  async #serve(session: Session, request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    const { clock } = this.#options;
    session.inFlight++;
    session.lastUsedMs = clock.nowMs();
    response.once('close', () => {
      session.inFlight--;
      session.lastUsedMs = clock.nowMs();
    });
    await session.transport.handleRequest(request, response, body);
  }

  /** Whether one more session may start; the one that was silent for longest gives way. */
  #makeRoom(): boolean {
    if (this.#sessions.size + this.#opening < this.#options.settings.maxSessions) return true;
    let oldest: [string, Session] | null = null;
    for (const entry of this.#sessions) {
      if (entry[1].inFlight === 0 && (oldest === null || entry[1].lastUsedMs < oldest[1].lastUsedMs)) oldest = entry;
    }
    if (oldest === null) return false;
    this.#end(oldest[0], oldest[1]);
    return true;
  }

  #sweepLater(): Timer {
    const { clock, settings } = this.#options;
    return clock.after(Math.max(1, settings.sessionIdleMs / 4), () => {
      const idleSinceMs = clock.nowMs() - settings.sessionIdleMs;
      for (const [id, session] of this.#sessions) {
        if (session.inFlight === 0 && session.lastUsedMs <= idleSinceMs) this.#end(id, session);
      }
      this.#sweep = this.#sweepLater();
    });
  }

  #end(id: string, session: Session): void {
    this.#sessions.delete(id);
    void this.#closeQuietly(session);
  }

  #closeQuietly({ server, transport }: Session): Promise<void> {
    return server
      .close()
      .then(() => transport.close())
      .catch(this.#options.onError);
  }
}

function ownerOf(identity: Identity | null): string | null {
  return identity?.id ?? null;
}
