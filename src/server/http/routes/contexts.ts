import { Type } from '@fastify/type-provider-typebox';
import type { JsonObject, JsonValue } from '../../../base/index.ts';
import type { ContextAnswer, ContextCall, ContextRequest } from '../../../context/index.ts';
import { readsFor } from '../authorise.ts';
import type { App, HttpContext } from '../context.ts';
import { answers, PROBLEM_ANSWER, parseJsonBody, sendJson, sendWithToken, tokenConsistency } from './route-parts.ts';

const strict = { additionalProperties: false };
const AnyObject = Type.Unsafe<JsonObject>({ type: 'object' });
export const ContextParams = Type.Object({ context: Type.String({ description: 'Name of the context definition.' }) });
const Leg = Type.Union([AnyObject, Type.Array(AnyObject)]);
const Budget = Type.Object({ tokens: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }, strict);
const deadlineMs = Type.Optional(Type.Number({ minimum: 1, maximum: 600_000 }));
const consistency = Type.Optional(AnyObject);

const RequestBody = Type.Object(
  {
    subject: Type.Optional(Type.Union([Type.String(), Type.Number(), AnyObject])),
    query: Type.Optional(Type.String({ description: 'What is looked for in documents.' })),
    include: Type.Object(
      {
        features: Type.Optional(Leg),
        rows: Type.Optional(Leg),
        events: Type.Optional(Leg),
        documents: Type.Optional(Leg),
      },
      { ...strict, description: 'Legs; docs/CONTEXT.md lists their members.' },
    ),
    filters: Type.Optional(AnyObject),
    consistency,
    recency: Type.Optional(AnyObject),
    budget: Budget,
    deadlineMs,
  },
  strict,
);
const CallBody = Type.Object(
  {
    params: Type.Optional(AnyObject),
    version: Type.Optional(Type.String()),
    budget: Type.Optional(Budget),
    consistency,
    deadlineMs,
  },
  strict,
);
const AnswerSchema = Type.Object({
  text: Type.String({ description: 'Markdown, at most `budget.tokens` tokens.' }),
  tokens: Type.Integer(),
  tokenizer: Type.String(),
  asOf: Type.String(),
  items: Type.Array(AnyObject),
  freshness: Type.Array(AnyObject),
  dropped: Type.Array(AnyObject),
  complete: Type.Boolean(),
  token: Type.String({ description: 'With `consistency: {asOf: token}` the same call gives the same bytes.' }),
});

export function addContextRoutes(app: App, context: HttpContext): void {
  addDefinitionRoutes(app, context);
  addAnswerRoutes(app, context);
}

function addDefinitionRoutes(app: App, { engine }: HttpContext): void {
  const params = ContextParams;
  const path = '/v1/contexts/:context';
  const response = answers(AnyObject);
  app.put<{ Params: { context: string } }>(
    path,
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Define a context, or a new version', params, body: AnyObject, response },
    },
    async (request, reply) =>
      sendJson(reply, JSON.stringify(await engine.contexts.apply(request.params.context, request.body as JsonValue))),
  );
  app.get('/v1/contexts', { schema: { summary: 'List context definitions', response } }, async (request, reply) =>
    sendJson(reply, JSON.stringify({ contexts: await readsFor(request, engine).contexts.list() })),
  );
  app.get<{ Params: { context: string } }>(
    path,
    { schema: { summary: 'Describe a context definition', params, response } },
    async (request, reply) =>
      sendJson(reply, JSON.stringify(await readsFor(request, engine).contexts.get(request.params.context))),
  );
  const gone = { 204: Type.Null({ description: 'Removed.' }), default: PROBLEM_ANSWER };
  app.delete<{ Params: { context: string } }>(
    path,
    { schema: { summary: 'Remove a context definition', params, response: gone } },
    async (request, reply) => {
      await engine.contexts.remove(request.params.context);
      return reply.code(204).send(null);
    },
  );
}

function addAnswerRoutes(app: App, { engine }: HttpContext): void {
  const response = answers(AnswerSchema);
  app.post(
    '/v1/context',
    { preValidation: parseJsonBody, schema: { summary: 'Assemble a context', body: RequestBody, response } },
    async (request, reply) => {
      const asked = request.body as unknown as ContextRequest;
      const answer = await readsFor(request, engine).context({ ...asked, ...consistencyFor(asked, request.headers) });
      return sendAnswer(reply, answer);
    },
  );
  app.post<{ Params: { context: string } }>(
    '/v1/contexts/:context',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Assemble a context by its name', params: ContextParams, body: CallBody, response },
    },
    async (request, reply) => {
      const call = request.body as ContextCall;
      const { contexts } = readsFor(request, engine);
      const answer = await contexts.call(request.params.context, { ...call, ...consistencyFor(call, request.headers) });
      return sendAnswer(reply, answer);
    },
  );
}

function consistencyFor(
  asked: Pick<ContextRequest, 'consistency'>,
  headers: Parameters<typeof tokenConsistency>[0],
): Pick<ContextRequest, 'consistency'> {
  const consistency = asked.consistency ?? tokenConsistency(headers);
  return consistency === undefined ? {} : { consistency };
}

function sendAnswer(reply: Parameters<typeof sendJson>[0], answer: ContextAnswer): ReturnType<typeof sendJson> {
  return sendWithToken(reply, JSON.stringify(answer), answer.token);
}
