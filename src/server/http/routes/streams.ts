import { Type } from '@fastify/type-provider-typebox';
import type { StreamChanges, StreamSettings } from '../../../streams/index.ts';
import { mayTouch } from '../authorise.ts';
import type { App, HttpContext } from '../context.ts';
import {
  CompactBody,
  StreamChangesBody,
  StreamInfoSchema,
  StreamParams,
  StreamSettingsBody,
  TableInfoSchema,
} from '../schemas.ts';
import { answers, PROBLEM_ANSWER, parseJsonBody, sendJson } from './route-parts.ts';

export function addStreamRoutes(app: App, { engine }: HttpContext): void {
  app.put(
    '/v1/streams/:stream',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Create a stream', params: StreamParams, body: StreamSettingsBody, response: answers(StreamInfoSchema) },
    },
    async (request, reply) => {
      const info = await engine.createStream(request.params.stream, request.body as StreamSettings);
      return sendJson(reply, JSON.stringify(info));
    },
  );
  app.get(
    '/v1/streams',
    { schema: { summary: 'List streams', response: answers(Type.Object({ streams: Type.Array(StreamInfoSchema) })) } },
    async (request, reply) => {
      const streams = await engine.listStreams();
      return sendJson(reply, JSON.stringify({ streams: streams.filter(({ definition }) => mayTouch(request, definition.name)) }));
    },
  );
  app.get(
    '/v1/streams/:stream',
    { schema: { summary: 'Describe a stream', params: StreamParams, response: answers(StreamInfoSchema) } },
    async (request, reply) => sendJson(reply, JSON.stringify(await engine.getStream(request.params.stream))),
  );
  app.patch(
    '/v1/streams/:stream',
    {
      preValidation: parseJsonBody,
      schema: {
        summary: 'Change history, retention, ttl or maintenance of a stream',
        params: StreamParams,
        body: StreamChangesBody,
        response: answers(StreamInfoSchema),
      },
    },
    async (request, reply) => {
      const info = await engine.changeStream(request.params.stream, request.body as StreamChanges);
      return sendJson(reply, JSON.stringify(info));
    },
  );
  app.delete(
    '/v1/streams/:stream',
    {
      schema: {
        summary: 'Delete a stream and its data',
        params: StreamParams,
        response: { 204: Type.Null({ description: 'Deleted.' }), default: PROBLEM_ANSWER },
      },
    },
    async (request, reply) => {
      await engine.deleteStream(request.params.stream);
      return reply.code(204).send(null);
    },
  );
}

export function addTableRoutes(app: App, { engine }: HttpContext): void {
  app.post(
    '/v1/streams/:stream/compact',
    {
      preValidation: parseJsonBody,
      schema: {
        summary: 'Bring the table up to the head at the call',
        params: StreamParams,
        body: CompactBody,
        response: answers(TableInfoSchema),
      },
    },
    async (request, reply) => {
      const info = await engine.compact(request.params.stream, request.body?.full === true ? { full: true } : {});
      return sendJson(reply, JSON.stringify(info));
    },
  );
  app.get(
    '/v1/streams/:stream/table',
    { schema: { summary: 'The state of the table', params: StreamParams, response: answers(TableInfoSchema) } },
    async (request, reply) => sendJson(reply, JSON.stringify(await engine.getTable(request.params.stream))),
  );
}
