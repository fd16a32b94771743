import { Type } from '@fastify/type-provider-typebox';
import type { App, HttpContext } from '../context.ts';
import { StreamParams, TagBody, TagInfoSchema, TagParams } from '../schemas.ts';
import { answers, PROBLEM_ANSWER, parseJsonBody, sendJson } from './route-parts.ts';

export function addTagRoutes(app: App, { engine }: HttpContext): void {
  app.post(
    '/v1/streams/:stream/tags',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Name an instant, and keep it', params: StreamParams, body: TagBody, response: answers(TagInfoSchema) },
    },
    async (request, reply) => {
      const { name, asOf } = request.body;
      return sendJson(
        reply,
        JSON.stringify(await engine.createTag(request.params.stream, name, asOf === undefined ? {} : { asOf })),
      );
    },
  );
  app.get(
    '/v1/streams/:stream/tags',
    {
      schema: {
        summary: 'List the tags of a stream',
        params: StreamParams,
        response: answers(Type.Object({ tags: Type.Array(TagInfoSchema) })),
      },
    },
    async (request, reply) => sendJson(reply, JSON.stringify({ tags: await engine.listTags(request.params.stream) })),
  );
  app.delete(
    '/v1/streams/:stream/tags/:tag',
    {
      schema: {
        summary: 'Delete a tag: its instant is kept no longer than others',
        params: TagParams,
        response: { 204: Type.Null({ description: 'Deleted.' }), default: PROBLEM_ANSWER },
      },
    },
    async (request, reply) => {
      await engine.deleteTag(request.params.stream, request.params.tag);
      return reply.code(204).send(null);
    },
  );
}
