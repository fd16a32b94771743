import type { ServerNotifier } from '@modelcontextprotocol/server';
import { silentLogger, systemClock } from '../../src/base/index.ts';
import { Admission } from '../../src/server/http/admission.ts';
import { createApp } from '../../src/server/http/app.ts';
import { type App, HTTP_DEFAULTS, type HttpContext } from '../../src/server/http/context.ts';
import { Followers } from '../../src/server/http/followers.ts';
import { HttpMetrics } from '../../src/server/http/http-metrics.ts';
import { NO_RATE_LIMITS, RequestRates } from '../../src/server/http/rate-limits.ts';
import { MCP_PATH, McpFace } from '../../src/server/mcp/mcp-face.ts';
import { MCP_DEFAULTS } from '../../src/server/mcp/settings.ts';
import { fakeEngine } from './fake-engine.ts';
import { createFixture } from './mcp-fixture.ts';

/** Our own endpoint with the fixture behind it; closed at the end of the scope. */
export async function startFixture(): Promise<AsyncDisposable & { url: string }> {
  const admission = new Admission(HTTP_DEFAULTS.maxInFlight, HTTP_DEFAULTS.maxBufferedBytes);
  const followers = new Followers(HTTP_DEFAULTS.maxFollowers);
  const engine = fakeEngine();
  const rates = new RequestRates(engine.rates, NO_RATE_LIMITS);
  const context: HttpContext = {
    engine,
    clock: systemClock,
    logger: silentLogger,
    settings: HTTP_DEFAULTS,
    admission,
    followers,
    metrics: new HttpMetrics(admission, followers, rates),
    rates,
    authenticator: null,
    stopping: false,
  };
  const notify = (): ServerNotifier => face.notify;
  const service = { create: () => createFixture(notify), changes: null, settings: MCP_DEFAULTS, loopback: true };
  const face: McpFace = new McpFace(context, service);
  const app = createApp(context);
  app.register(async scope => face.addRoutes(scope as App), { prefix: MCP_PATH });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `${url}${MCP_PATH}`,
    async [Symbol.asyncDispose]() {
      await face.close();
      await app.close();
    },
  };
}
