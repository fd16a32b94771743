import { type TSchema, Type } from '@fastify/type-provider-typebox';
import type { JsonValue } from '../../../base/index.ts';
import type { HistoricalRequest, OnlineRequest, ServiceRequest } from '../../../features/index.ts';
import { readsFor, requireScope } from '../authorise.ts';
import type { App, HttpContext } from '../context.ts';
import { AnyObject, Consistency, deadlineMs, HistoricalBody, strict, ViewParams } from './feature-schemas.ts';
import { addTrustRoutes } from './feature-trust.ts';
import { answers, PROBLEM_ANSWER, parseJsonBody, sendJson, sendWithToken, tokenConsistency } from './route-parts.ts';

const online = {
  entities: Type.Array(Type.Unknown(), {
    description: 'Each the value of the entity’s field, a list of several, or an object.',
  }),
  request: Type.Optional(Type.Union([AnyObject, Type.Array(AnyObject)], { description: 'Values for on-demand features.' })),
  asOf: Type.Optional(Type.String({ description: 'ISO 8601.' })),
  consistency: Type.Optional(Consistency),
  deadlineMs,
};
const Features = Type.Optional(Type.Array(Type.String()));
const OnlineBody = Type.Object({ ...online, features: Features }, strict);
const ServiceView = Type.Union([Type.String(), Type.Object({ view: Type.String(), features: Features }, strict)]);
const ServiceBody = Type.Object({ ...online, views: Type.Array(ServiceView, { minItems: 1 }) }, strict);
export function addFeatureRoutes(app: App, context: HttpContext): void {
  addDefinitionRoutes(app, context);
  addValueRoutes(app, context);
  addTrustRoutes(app, context);
}

function schema(summary: string, more: Record<string, TSchema> = {}): Record<string, unknown> & { response: object } {
  return { summary, ...more, response: answers(AnyObject) };
}

function addDefinitionRoutes(app: App, { engine }: HttpContext): void {
  const params = ViewParams;
  const Replaces = Type.Object({ replaces: Type.Optional(Type.String({ description: 'The version that is served.' })) }, strict);
  app.put<{ Params: { view: string }; Querystring: { replaces?: string } }>(
    '/v1/features/:view',
    {
      preValidation: parseJsonBody,
      schema: schema('Define or change a feature view', { params, querystring: Replaces, body: AnyObject }),
    },
    async (request, reply) => {
      const view = { name: request.params.view, definition: request.body as JsonValue };
      return sendJson(reply, JSON.stringify(await engine.features.apply(view, request.query)));
    },
  );
  const Sample = Type.Object({ sampleEntities: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })) }, strict);
  app.post<{ Params: { view: string }; Querystring: { sampleEntities?: number } }>(
    '/v1/features/:view/plan',
    {
      preValidation: parseJsonBody,
      schema: schema('What applying a definition would do', { params, querystring: Sample, body: AnyObject }),
    },
    async (request, reply) => {
      const view = { name: request.params.view, definition: request.body as JsonValue };
      return sendJson(reply, JSON.stringify(await engine.features.plan(view, request.query)));
    },
  );
  app.get('/v1/features', { schema: schema('List feature views') }, async (request, reply) =>
    sendJson(reply, JSON.stringify({ views: await readsFor(request, engine).features.list() })),
  );
  app.get<{ Params: { view: string } }>(
    '/v1/features/:view',
    { schema: schema('Describe a feature view', { params }) },
    async (request, reply) => sendJson(reply, JSON.stringify(await readsFor(request, engine).features.get(request.params.view))),
  );
  const gone = { 204: Type.Null({ description: 'Removed.' }), default: PROBLEM_ANSWER };
  app.delete<{ Params: { view: string } }>(
    '/v1/features/:view',
    { schema: { summary: 'Remove a feature view', params, response: gone } },
    async (request, reply) => {
      await engine.features.remove(request.params.view);
      return reply.code(204).send(null);
    },
  );
}

function addValueRoutes(app: App, { engine }: HttpContext): void {
  app.post<{ Params: { view: string } }>(
    '/v1/features/:view/online',
    { preValidation: parseJsonBody, schema: schema('Feature values of entities', { params: ViewParams, body: OnlineBody }) },
    async (request, reply) => {
      const asked = request.body as OnlineRequest;
      const consistency = asked.consistency ?? tokenConsistency(request.headers);
      const answer = await readsFor(request, engine).features.online(
        request.params.view,
        consistency === undefined ? asked : { ...asked, consistency },
      );
      return sendWithToken(reply, JSON.stringify(answer), answer.token);
    },
  );
  app.post(
    '/v1/features/online',
    { preValidation: parseJsonBody, schema: schema('Values of several views at one instant', { body: ServiceBody }) },
    async (request, reply) => {
      const asked = request.body as ServiceRequest;
      const consistency = asked.consistency ?? tokenConsistency(request.headers);
      const answer = await readsFor(request, engine).features.service(
        consistency === undefined ? asked : { ...asked, consistency },
      );
      return sendJson(reply, JSON.stringify(answer));
    },
  );
  app.post(
    '/v1/features/historical',
    { preValidation: parseJsonBody, schema: schema('Training rows, point in time', { body: HistoricalBody }) },
    async (request, reply) => {
      const body = request.body as HistoricalRequest;
      if (body.saveAs !== undefined) requireScope(request, 'write');
      return sendJson(reply, JSON.stringify(await readsFor(request, engine).features.historical(body)));
    },
  );
}
