import type { Server as TlsServer } from 'node:tls';
import { type Clock, type Logger, silentLogger, systemClock, TailwaterError } from '../../base/index.ts';
import { Authenticator } from '../access/authenticator.ts';
import type { EngineLike } from '../engine-types.ts';
import { engineToolApi } from '../mcp/engine-tool-api.ts';
import { MCP_PATH, McpFace } from '../mcp/mcp-face.ts';
import { createMcpService } from '../mcp/service.ts';
import type { McpSettings } from '../mcp/settings.ts';
import { tracedEngine } from '../tracing/traced-engine.ts';
import { Admission } from './admission.ts';
import { createApp } from './app.ts';
import { type App, HTTP_DEFAULTS, type HttpContext, type HttpSettings } from './context.ts';
import { Followers } from './followers.ts';
import { HttpMetrics } from './http-metrics.ts';
import { addIcebergCatalog } from './iceberg/iceberg-catalog.ts';
import { NO_RATE_LIMITS, type RateLimitSettings, RequestRates } from './rate-limits.ts';
import { addContextRoutes } from './routes/contexts.ts';
import { addDocumentRoutes } from './routes/documents.ts';
import { addFeatureRoutes } from './routes/features.ts';
import { addKeyRoutes } from './routes/keys.ts';
import { addLiveRoutes } from './routes/live.ts';
import { addOperationRoutes } from './routes/operations.ts';
import { addQueryRoute, addRowRoutes } from './routes/query.ts';
import { addRecordRoutes } from './routes/records.ts';
import { addScanRoute, addSqlRoute } from './routes/scan.ts';
import { addStepRoutes } from './routes/steps.ts';
import { addStreamRoutes, addTableRoutes } from './routes/streams.ts';
import { addTagRoutes } from './routes/tags.ts';
import { readTls, type TlsFiles, type TlsPair, watchTls } from './tls-files.ts';
import { UnusedConnections } from './unused-connections.ts';

export interface HttpServerOptions extends Partial<HttpSettings> {
  /** Default 127.0.0.1. Others need `adminKey` or `insecure`. */
  host?: string;
  /** Default 8787; 0 picks a free one. */
  port?: number;
  clock?: Clock;
  logger?: Logger;
  /** With it every request needs a key: this one, or one that its holder made (docs/SECURITY.md). Without it nobody is asked. */
  adminKey?: string;
  /** Whether a server without keys may listen beyond this machine; default false. */
  insecure?: boolean;
  /** With it the server speaks HTTPS; the files are read again when they change. */
  tls?: TlsFiles;
  /** What a key, or without keys an address, may send. Default: as much as it likes. */
  rateLimits?: Partial<RateLimitSettings>;
  /** Of the Model Context Protocol at /mcp. */
  mcp?: Partial<McpSettings>;
}

/** A running HTTP face. The engine behind it belongs to the caller, who closes it after close(). */
export interface HttpServer {
  /** Where it listens, such as http://127.0.0.1:8787. */
  readonly url: string;
  /** Accepts nothing new, answers what is in flight, ends live follows with a final event. Requests that take longer than drainMs are cut. */
  close(): Promise<void>;
}

/** Serves an engine over HTTP (design, section 9). TW_SETTING when the address cannot be listened on, or may not be for want of keys. */
export async function serve(served: EngineLike, options: HttpServerOptions = {}): Promise<HttpServer> {
  const { host = '127.0.0.1', port = 8787, clock = systemClock, logger = silentLogger, ...rest } = options;
  const { adminKey, insecure = false, tls, mcp = {}, rateLimits = {}, ...given } = rest;
  if (adminKey === undefined && !insecure && !isLoopback(host)) throw unguarded(host);
  const engine = tracedEngine(served);
  const authenticator = adminKey === undefined ? null : new Authenticator(engine.keys, adminKey);
  const settings = { ...HTTP_DEFAULTS, ...given };
  const admission = new Admission(settings.maxInFlight, settings.maxBufferedBytes);
  const followers = new Followers(settings.maxFollowers);
  const rates = new RequestRates(engine.rates, { ...NO_RATE_LIMITS, ...rateLimits });
  const metrics = new HttpMetrics(admission, followers, rates);
  const parts = { admission, followers, metrics, rates, authenticator };
  const context: HttpContext = { engine, clock, logger, settings, ...parts, stopping: false };
  const pair = tls === undefined ? null : await readTls(tls);
  const app = createApp(context, pair);
  const unused = new UnusedConnections(app, pair !== null);
  app.register(async scope => addRoutes(scope as App, context));
  app.register(async scope => addIcebergCatalog(scope as App, context), { prefix: '/iceberg' });
  const face = new McpFace(
    context,
    createMcpService(identity => engineToolApi(engine, identity), clock, mcp, isLoopback(host)),
  );
  app.register(async scope => face.addRoutes(scope as App), { prefix: MCP_PATH });
  const url = await listen(app, host, port);
  if (!isLoopback(host) && authenticator === null) logger.warn({ host }, 'Listening beyond this machine without authentication');
  const renewal = tls && pair ? watchTls(tls, pair, { clock, logger, use: renewed => useCertificate(app, renewed) }) : null;
  let closed: Promise<void> | null = null;
  return {
    url,
    close: () => {
      renewal?.cancel();
      closed ??= stop(app, context, face, unused);
      return closed;
    },
  };
}

function useCertificate(app: App, pair: TlsPair): void {
  (app.server as unknown as TlsServer).setSecureContext(pair);
}

async function stop(app: App, context: HttpContext, face: McpFace, unused: UnusedConnections): Promise<void> {
  context.stopping = true;
  context.followers.endAll();
  unused.destroy();
  const cut = context.clock.after(context.settings.drainMs, () => app.server.closeAllConnections());
  await app.close();
  await face.close();
  cut.cancel();
}

function addRoutes(app: App, context: HttpContext): void {
  addStreamRoutes(app, context);
  addRecordRoutes(app, context);
  addQueryRoute(app, context);
  addRowRoutes(app, context);
  addDocumentRoutes(app, context);
  addStepRoutes(app, context);
  addScanRoute(app, context);
  addSqlRoute(app, context);
  addTableRoutes(app, context);
  addTagRoutes(app, context);
  addFeatureRoutes(app, context);
  addContextRoutes(app, context);
  addLiveRoutes(app, context);
  addOperationRoutes(app, context);
  addKeyRoutes(app, context);
}

async function listen(app: App, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND'].includes(code)) throw error;
    const reason = code === 'EADDRINUSE' ? 'another process listens there' : code;
    throw new TailwaterError('TW_SETTING', {
      detail: `Cannot listen on ${host}:${port}: ${reason}. Choose another --port or --host.`,
      cause: error,
    });
  }
}

function unguarded(host: string): TailwaterError {
  return new TailwaterError('TW_SETTING', {
    detail:
      `${host} can be reached from other machines, and this server would ask nobody for a key. ` +
      'Set adminKey (TAILWATER_ADMIN_KEY), listen on 127.0.0.1, or say --insecure where the network itself is trusted.',
    data: { setting: 'adminKey' },
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
