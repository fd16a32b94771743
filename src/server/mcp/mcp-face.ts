import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostHeaderValidation, originValidation } from '@modelcontextprotocol/fastify';
import {
  type NodeIncomingMessageLike,
  type NodeMcpRequestHandler,
  toNodeHandler,
  toWebRequest,
} from '@modelcontextprotocol/node';
import {
  type AuthInfo,
  createMcpHandler,
  isJsonContentType,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  type McpHttpHandler,
  type McpServer,
  ProtocolError,
  type Server,
  type ServerNotifier,
} from '@modelcontextprotocol/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { asTailwaterError, isDeeperThan, type JsonValue, systemRandom, TailwaterError } from '../../base/index.ts';
import type { Identity } from '../access/authenticator.ts';
import { addBodies, answerErrors } from '../http/app.ts';
import type { App, HttpContext } from '../http/context.ts';
import type { Follower } from '../http/followers.ts';
import { reachableChanges, type StreamChanges } from './changes.ts';
import { idOf, JSON_RPC, jsonRpcError, sendJsonRpcError } from './json-rpc.ts';
import { Listening, listenedResources } from './listening.ts';
import { protocolError } from './protocol-server.ts';
import { Sessions } from './sessions.ts';
import type { McpSettings } from './settings.ts';
import { StallGuard } from './stall-guard.ts';

/** Where it is mounted. */
export const MCP_PATH = '/mcp';
const MAX_BATCH = 64;
const MAX_DEPTH = 100;

export interface McpService {
  /** A protocol server for each session of 2025-11-25, and for each request of 2026-07-28, of whoever asks; null: nobody is asked who they are. */
  create: (identity: Identity | null) => McpServer | Server;
  /** Null: resources do not change. */
  changes: StreamChanges | null;
  settings: McpSettings;
  /** Whether only this machine can connect. */
  loopback: boolean;
}

/** MCP over streamable HTTP at /mcp: both revisions from one endpoint. */
export class McpFace {
  readonly #context: HttpContext;
  readonly #service: McpService;
  readonly #sessions: Sessions;
  readonly #modern: McpHttpHandler;
  readonly #serveModern: NodeMcpRequestHandler;
  readonly #listening: Listening | null;
  readonly #maxBodyBytes: number;

  constructor(context: HttpContext, service: McpService) {
    const { create, changes, settings } = service;
    const onError = (error: Error): void => context.logger.debug({ kind: error.name }, 'A client of MCP was refused');
    this.#context = context;
    this.#service = service;
    const { clock, settings: http } = context;
    const maxBodyBytes = Math.min(settings.maxMessageBytes, http.maxBodyBytes);
    this.#maxBodyBytes = maxBodyBytes;
    this.#sessions = new Sessions({ create, clock, random: systemRandom, settings, maxBodyBytes, onError });
    this.#modern = createMcpHandler(({ authInfo }) => create(this.#identityIn(authInfo)), {
      legacy: 'reject',
      onerror: onError,
      maxSubscriptions: http.maxFollowers,
      keepAliveMs: http.heartbeatMs,
    });
    this.#serveModern = toNodeHandler(this.#modern, { onerror: onError, maxRequestBodySize: maxBodyBytes });
    const publish = (uri: string): void => this.#modern.notify.resourceUpdated(uri);
    this.#listening = changes === null ? null : new Listening(changes, settings.maxSubscriptions, publish);
  }

  /** `app`: a scope of its own, at MCP_PATH. */
  addRoutes(app: App): void {
    const { allowedHosts, allowedOrigins } = this.#service.settings;
    const hosts = allowedHosts ?? (this.#service.loopback ? localhostAllowedHostnames() : null);
    if (hosts !== null) app.addHook('onRequest', hostHeaderValidation([...hosts]));
    app.addHook('onRequest', originValidation([...(allowedOrigins ?? localhostAllowedOrigins())]));
    addBodies(app, this.#context, this.#maxBodyBytes);
    answerErrors(app, this.#context, sendRefusal);
    app.route({
      method: ['GET', 'POST', 'DELETE'],
      url: '',
      schema: { hide: true },
      handler: (request, reply) => this.#answer(request, reply),
    });
  }

  /** Tells those who listen, in 2026-07-28, what changed. */
  get notify(): ServerNotifier {
    return this.#modern.notify;
  }

  async close(): Promise<void> {
    await Promise.all([this.#sessions.close(), this.#modern.close()]);
    this.#service.changes?.close();
  }

  async #answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const body = request.method === 'POST' ? parsedBody(request) : { value: undefined };
    if ('refusal' in body) return reply.code(body.status).header('content-type', 'application/json').send(body.refusal);
    const message = body.value;
    const legacy = await isLegacy(request.raw, message);
    const listens = request.method === 'GET' || (!legacy && listenedResources(message) !== null);
    if (listens) this.#openStream(reply.raw);
    reply.hijack();
    reply.raw.on('error', () => {});
    // Live streams are bounded as follows are, and are not requests under way.
    if (listens && request.heldBytes >= 0) {
      this.#context.admission.leave(request.heldBytes);
      request.heldBytes = -1;
    }
    try {
      if (legacy) await this.#sessions.handle(request.raw, reply.raw, message, request.identity);
      else await this.#answerModern(request, reply.raw, message);
    } catch (error) {
      this.#context.logger.error({ kind: (error as Error).name }, 'A request of MCP failed');
      sendJsonRpcError(reply.raw, 500, JSON_RPC.internalError, 'An internal error occurred');
    }
    return reply;
  }

  async #answerModern({ raw, identity }: FastifyRequest, response: ServerResponse, message: unknown): Promise<void> {
    const request = Object.assign(raw, { auth: authOf(identity) }) as NodeIncomingMessageLike;
    const uris = listenedResources(message);
    const { changes } = this.#service;
    if (uris === null || uris.length === 0 || this.#listening === null || changes === null)
      return this.#serveModern(request, response, message);
    try {
      const end = await this.#listening.listen(uris, reachableChanges(changes, identity));
      response.once('close', end);
      if (response.destroyed) end();
    } catch (error) {
      const { code, message: text, data } = error instanceof ProtocolError ? error : protocolError(asTailwaterError(error));
      response.writeHead(200, { 'content-type': 'application/json' }).end(jsonRpcError(code, text, idOf(message), data));
      return;
    }
    return this.#serveModern(request, response, message);
  }

  /** Where keys are asked for, who has none is nobody, and not everybody. */
  #identityIn(auth: AuthInfo | undefined): Identity | null {
    const identity = auth?.extra?.identity as Identity | undefined;
    if (identity === undefined && this.#context.authenticator !== null) throw new TailwaterError('TW_UNAUTHENTICATED');
    return identity ?? null;
  }

  /** Counts a live stream among the follows. Throws TW_BUSY. */
  #openStream(response: ServerResponse): void {
    const { followers, clock, settings } = this.#context;
    // Cut, not ended: the SDK may still write, which an ended response would answer with an error.
    const follower: Follower = { end: () => response.destroy() };
    followers.add(follower);
    const guard = new StallGuard(response, clock, settings.stallMs, () => followers.countStalled());
    response.once('close', () => {
      guard.stop();
      followers.delete(follower);
    });
  }
}

/** How the SDK hands on who sent a request. */
function authOf(identity: Identity | null): AuthInfo | undefined {
  if (identity === null) return undefined;
  return { token: '', clientId: identity.id, scopes: [...identity.scopes], extra: { identity } };
}

/** A request whose Host makes no address has no revision. Throws TW_BAD_REQUEST. */
async function isLegacy(request: IncomingMessage, message: unknown): Promise<boolean> {
  const web = await toWebRequest(request as NodeIncomingMessageLike, message).catch(cause => {
    throw new TailwaterError('TW_BAD_REQUEST', { detail: 'The Host or a header of the request is not valid.', cause });
  });
  return isLegacyRequest(web, message);
}

type Body = { value: unknown } | { status: number; refusal: string };

function parsedBody(request: FastifyRequest): Body {
  if (!isJsonContentType(request.headers['content-type'])) {
    return { status: 415, refusal: jsonRpcError(JSON_RPC.badRequest, 'The Content-Type must be application/json.') };
  }
  let value: unknown;
  try {
    value = JSON.parse((request.body as Buffer | undefined)?.toString() ?? '');
  } catch {
    return { status: 400, refusal: jsonRpcError(JSON_RPC.parseError, 'Parse error: the body is not JSON.') };
  }
  if (isDeeperThan(value as JsonValue, MAX_DEPTH)) return refused(`The message is nested more than ${MAX_DEPTH} deep.`);
  if (Array.isArray(value) && (value.length === 0 || value.length > MAX_BATCH)) {
    return refused(`A batch has 1 to ${MAX_BATCH} messages.`);
  }
  if (typeof value !== 'object' || value === null) return refused('A message is an object.');
  return { value };
}

function refused(reason: string): Body {
  return { status: 400, refusal: jsonRpcError(JSON_RPC.invalidRequest, `Invalid request: ${reason}`) };
}

function sendRefusal(reply: FastifyReply, error: TailwaterError): FastifyReply {
  if (error.retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
  const { code, detail, action } = error.toProblem();
  const number = error.status >= 500 && code === 'TW_INTERNAL' ? JSON_RPC.internalError : JSON_RPC.badRequest;
  return reply
    .code(error.status)
    .header('content-type', 'application/json')
    .send(jsonRpcError(number, detail, null, { code, action }));
}
