import type { FastifyRequest } from 'fastify';
import type { App, HttpContext } from './context.ts';
import { traceIdOf } from './trace-requests.ts';

/** A line for every request once it was answered. Paths and bodies may hold what users wrote, so it names the route alone. */
export function addRequestLog(app: App, { logger }: HttpContext): void {
  app.addHook('onResponse', (request, reply, done) => {
    logger.info({ ...requestFacts(request), status: reply.statusCode, ms: Math.round(reply.elapsedTime * 100) / 100 }, 'Request');
    done();
  });
}

/** What names a request in the log. */
export function requestFacts(request: FastifyRequest): Record<string, string | undefined> {
  const { id: requestId, method, routeOptions, identity, traceContext } = request;
  return { requestId, method, route: routeOptions.url, key: identity?.name, traceId: traceIdOf(traceContext) };
}
