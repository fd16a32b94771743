import { Type } from '@fastify/type-provider-typebox';
import type { HistoricalRequest, ReportRequest } from '../../../features/index.ts';
import type { App, HttpContext } from '../context.ts';
import { AnyObject, HistoricalBody, strict, ViewParams } from './feature-schemas.ts';
import { answers, PROBLEM_ANSWER, parseJsonBody, sendJson } from './route-parts.ts';

const DatasetParams = Type.Object({ dataset: Type.String({ description: 'Name of the dataset.' }) });
const LogBody = Type.Object(
  { rate: Type.Number({ minimum: 0, maximum: 1, description: 'Share of answers kept; 0: none.' }) },
  strict,
);
const ReportQuery = Type.Object(
  { baseline: Type.Optional(Type.String()), entities: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })) },
  strict,
);
const response = answers(AnyObject);
const LINES = {
  200: { description: 'An object a line.', content: { 'application/x-ndjson': { schema: { type: 'string' } } } },
  default: PROBLEM_ANSWER,
};

/** What shows that training rows and online answers can be relied on. */
export function addTrustRoutes(app: App, context: HttpContext): void {
  addDatasetRoutes(app, context);
  addCheckRoutes(app, context);
}

function addDatasetRoutes(app: App, { engine }: HttpContext): void {
  const params = DatasetParams;
  app.get('/v1/datasets', { schema: { summary: 'List saved training rows', response } }, async (_request, reply) =>
    sendJson(reply, JSON.stringify({ datasets: await engine.features.datasets() })),
  );
  app.get<{ Params: { dataset: string } }>(
    '/v1/datasets/:dataset',
    { schema: { summary: 'Describe saved training rows', params, response } },
    async (request, reply) => sendJson(reply, JSON.stringify(await engine.features.dataset(request.params.dataset))),
  );
  app.get<{ Params: { dataset: string } }>(
    '/v1/datasets/:dataset/rows',
    { schema: { summary: 'Rebuild saved training rows, byte for byte', params, response: LINES } },
    async (request, reply) => {
      const lines = await engine.features.rebuild(request.params.dataset);
      return reply.header('content-type', 'application/x-ndjson').send(lines);
    },
  );
  app.delete<{ Params: { dataset: string } }>(
    '/v1/datasets/:dataset',
    {
      schema: {
        summary: 'Forget saved training rows',
        params,
        response: { 204: Type.Null({ description: 'Removed.' }), default: PROBLEM_ANSWER },
      },
    },
    async (request, reply) => {
      await engine.features.removeDataset(request.params.dataset);
      return reply.code(204).send(null);
    },
  );
}

function addCheckRoutes(app: App, { engine }: HttpContext): void {
  const params = ViewParams;
  app.post(
    '/v1/features/lint',
    { preValidation: parseJsonBody, schema: { summary: 'What gives the label away', body: HistoricalBody, response } },
    async (request, reply) =>
      sendJson(reply, JSON.stringify({ warnings: await engine.features.lint(request.body as HistoricalRequest) })),
  );
  app.put<{ Params: { view: string } }>(
    '/v1/features/:view/log',
    { preValidation: parseJsonBody, schema: { summary: 'Keep online answers', params, body: LogBody, response } },
    async (request, reply) => {
      const { rate } = request.body as { rate: number };
      await engine.features.logAnswers(request.params.view, rate);
      return sendJson(reply, JSON.stringify({ view: request.params.view, rate }));
    },
  );
  app.get<{ Params: { view: string } }>(
    '/v1/features/:view/skew',
    { schema: { summary: 'Online answers beside training rows', params, response } },
    async (request, reply) => sendJson(reply, JSON.stringify(await engine.features.skew(request.params.view))),
  );
  app.get<{ Params: { view: string }; Querystring: ReportRequest }>(
    '/v1/features/:view/report',
    { schema: { summary: 'Nulls, drift and age of features', params, querystring: ReportQuery, response } },
    async (request, reply) => sendJson(reply, JSON.stringify(await engine.features.report(request.params.view, request.query))),
  );
}
