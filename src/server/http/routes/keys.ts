import { Type } from '@fastify/type-provider-typebox';
import { TailwaterError } from '../../../base/index.ts';
import { SCOPES } from '../../access/access-key.ts';
import type { App, HttpContext } from '../context.ts';
import { answers, PROBLEM_ANSWER, parseJsonBody, sendJson } from './route-parts.ts';

const ScopeSchema = Type.Union(SCOPES.map(scope => Type.Literal(scope)));
const KeySchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scopes: Type.Array(ScopeSchema),
  streams: Type.Union([Type.Array(Type.String()), Type.Null()]),
  createdAt: Type.String(),
  expiresAt: Type.Union([Type.String(), Type.Null()]),
});
const NewKeySchema = Type.Intersect([
  KeySchema,
  Type.Object({ key: Type.String({ description: 'Shown this once: only its hash is kept.' }) }),
]);
const KeyBody = Type.Object(
  {
    name: Type.String(),
    scopes: Type.Optional(Type.Array(ScopeSchema)),
    streams: Type.Optional(Type.Array(Type.String())),
    expiresAt: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

/** Keys of the deployment. Without an administrator's key there is nobody who may make them. */
export function addKeyRoutes(app: App, { engine, authenticator }: HttpContext): void {
  const keys = (): HttpContext['engine']['keys'] => {
    if (authenticator !== null) return engine.keys;
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: 'This server asks nobody for a key. Start it with the setting adminKey (TAILWATER_ADMIN_KEY) first.',
    });
  };
  app.post(
    '/v1/keys',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Make an API key', body: KeyBody, response: answers(NewKeySchema) },
    },
    async (request, reply) => sendJson(reply, JSON.stringify(await keys().create(request.body))),
  );
  app.get(
    '/v1/keys',
    { schema: { summary: 'List API keys', response: answers(Type.Object({ keys: Type.Array(KeySchema) })) } },
    async (_request, reply) => sendJson(reply, JSON.stringify({ keys: await keys().list() })),
  );
  app.delete<{ Params: { key: string } }>(
    '/v1/keys/:key',
    {
      schema: {
        summary: 'Delete an API key',
        params: Type.Object({ key: Type.String() }),
        response: { 204: Type.Null({ description: 'Deleted.' }), default: PROBLEM_ANSWER },
      },
    },
    async (request, reply) => {
      await keys().remove(request.params.key);
      return reply.code(204).send(null);
    },
  );
}
