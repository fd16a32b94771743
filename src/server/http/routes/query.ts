import { TailwaterError } from '../../../base/index.ts';
import type { QueryRequest } from '../../../retrieval/index.ts';
import { encodeQueryAnswer, encodeRowAnswer } from '../../api-encoding.ts';
import { keyBytes } from '../../api-mapping.ts';
import type { App, HttpContext } from '../context.ts';
import {
  AppendAnswerSchema,
  QueryAnswerSchema,
  QueryBody,
  RowAnswerSchema,
  RowDeleteQuery,
  RowParams,
  RowQuery,
  StreamParams,
} from '../schemas.ts';
import { sendAppended } from './records.ts';
import { answers, clientSignal, consistencyOf, parseJsonBody, sendWithToken, tokenConsistency } from './route-parts.ts';

export function addQueryRoute(app: App, { engine }: HttpContext): void {
  app.post(
    '/v1/streams/:stream/query',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Search a stream', params: StreamParams, body: QueryBody, response: answers(QueryAnswerSchema) },
    },
    async (request, reply) => {
      const { stream } = request.params;
      const query = request.body as QueryRequest;
      const consistency = query.consistency ?? tokenConsistency(request.headers);
      const asked = consistency === undefined ? query : { ...query, consistency };
      const answer = await engine.query(stream, asked, clientSignal(reply));
      return sendWithToken(reply, encodeQueryAnswer(answer, engine.definition(stream).kind), answer.token);
    },
  );
}

export function addRowRoutes(app: App, { engine }: HttpContext): void {
  app.get(
    '/v1/streams/:stream/rows/:key',
    {
      schema: { summary: 'Read the row of a key', params: RowParams, querystring: RowQuery, response: answers(RowAnswerSchema) },
    },
    async (request, reply) => {
      const { keyEncoding, ...consistencyQuery } = request.query;
      const key = pathKey(request.params.key, keyEncoding);
      const row = await engine.getRow(request.params.stream, key, consistencyOf(consistencyQuery, request.headers));
      return sendWithToken(reply, encodeRowAnswer(row), row.token);
    },
  );
  app.delete(
    '/v1/streams/:stream/rows/:key',
    {
      schema: {
        summary: 'Delete the row of a key',
        params: RowParams,
        querystring: RowDeleteQuery,
        response: answers(AppendAnswerSchema),
      },
    },
    async (request, reply) => {
      const key = pathKey(request.params.key, request.query.keyEncoding);
      return sendAppended(reply, await engine.deleteRow(request.params.stream, key));
    },
  );
}

function pathKey(key: string, encoding: 'utf8' | 'base64url' | undefined): Uint8Array {
  if (encoding !== 'base64url') return keyBytes(key);
  if (!/^[\w-]*$/.test(key)) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: 'The key in the path is not base64url.',
      data: { field: 'key', in: 'params' },
    });
  }
  return Buffer.from(key, 'base64url');
}
