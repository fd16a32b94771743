import { TailwaterError } from '../../../base/index.ts';
import type { App, HttpContext } from '../context.ts';
import { CollectBody, CollectionSchema, HealthSchema, ProgressSchema, SourcesBody } from '../schemas.ts';
import { answers, parseJsonBody, sendJson } from './route-parts.ts';

const TEXT = { content: { 'text/plain': { schema: { type: 'string' } } } };

export function addOperationRoutes(app: App, context: HttpContext): void {
  const { engine } = context;
  app.get(
    '/healthz',
    { schema: { summary: 'Whether the process lives, and what is wrong', response: answers(HealthSchema) } },
    async (_request, reply) => sendJson(reply, JSON.stringify(await engine.health())),
  );
  app.get(
    '/readyz',
    { schema: { summary: 'Whether requests should be sent here', response: answers(HealthSchema) } },
    async (_request, reply) => {
      if (context.stopping) throw new TailwaterError('TW_CLOSED', { detail: 'The server is stopping.', retryAfterMs: 1000 });
      const health = await engine.health();
      if (health.status === 'ok') return sendJson(reply, JSON.stringify(health));
      throw new TailwaterError('TW_NOT_READY', { detail: health.problems.join(' '), data: { problems: health.problems } });
    },
  );
  app.get('/metrics', { schema: { summary: 'Prometheus metrics', response: answers(TEXT) } }, async (_request, reply) => {
    const parts = await Promise.all([engine.metrics(), context.metrics.text()]);
    return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(parts.join('\n'));
  });
  app.post(
    '/v1/admin/collect',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Delete what nothing needs any more', body: CollectBody, response: answers(CollectionSchema) },
    },
    async (request, reply) => sendJson(reply, JSON.stringify(await engine.collect(request.body ?? {}))),
  );
  app.post(
    '/v1/sources/progress',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'How far files have been ingested', body: SourcesBody, response: answers(ProgressSchema) },
    },
    async (request, reply) => sendJson(reply, JSON.stringify({ progress: await engine.sourceProgress(request.body.sources) })),
  );
  app.get(
    '/openapi.json',
    {
      schema: {
        summary: 'This interface, as OpenAPI 3.1',
        response: answers({ content: { 'application/json': { schema: { type: 'object' } } } }),
      },
    },
    async (_request, reply) => sendJson(reply, JSON.stringify(app.swagger())),
  );
}
