import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { isJsonObject, type JsonObject, TailwaterError } from '../../../base/index.ts';
import type { ScanRequest, SqlRequest } from '../../../snapshot/index.ts';
import type { ScanAnswer } from '../../api.ts';
import { encodeSqlAnswer } from '../../api-encoding.ts';
import { openScanBody, SCAN_TYPES } from '../../scan-body.ts';
import { readsFor } from '../authorise.ts';
import type { App, HttpContext } from '../context.ts';
import { ScanQuery, SqlAnswerSchema, SqlBody, StreamParams } from '../schemas.ts';
import {
  answers,
  clientSignal,
  consistencyOf,
  PROBLEM_ANSWER,
  parseJsonBody,
  sendWithToken,
  tokenConsistency,
} from './route-parts.ts';

export function addScanRoute(app: App, { engine }: HttpContext): void {
  app.get(
    '/v1/streams/:stream/scan',
    {
      schema: {
        summary: 'All rows at one instant, tail and table merged: for training and export',
        params: StreamParams,
        querystring: ScanQuery,
        response: { 200: SCAN_ANSWER, default: PROBLEM_ANSWER },
      },
    },
    async (request, reply) => {
      const { format = 'arrow', columns, filter, tail, shard, afterSeq, ...consistencyQuery } = request.query;
      const consistency = consistencyOf(consistencyQuery, request.headers);
      const scan: ScanRequest = {
        ...(columns === undefined ? {} : { columns: columns.split(',') }),
        ...(filter === undefined ? {} : { filter: parsedFilter(filter) }),
        ...(tail === undefined ? {} : { tail }),
        ...(shard === undefined ? {} : { shard: parsedShard(shard) }),
        ...(afterSeq === undefined ? {} : { afterSeq }),
        ...(consistency === undefined ? {} : { consistency }),
      };
      return sendScan(reply, await openScanBody(engine, request.params.stream, format, scan, clientSignal(reply)));
    },
  );
}

const BINARY = { schema: { type: 'string', format: 'binary' } };
const SCAN_ANSWER = {
  description:
    'The rows in the order of the log; Tailwater-Token and Tailwater-Freshness in the headers. A connection that ends early, which HTTP tells from a whole answer, means that rows are missing.',
  content: Object.fromEntries(Object.values(SCAN_TYPES).map(type => [type, BINARY])),
};

/** A body that fails is cut off: the end of the chunked encoding never comes, and the client knows. */
function sendScan(reply: FastifyReply, { format, freshness, token, body }: ScanAnswer): FastifyReply {
  return reply
    .header('content-type', SCAN_TYPES[format])
    .header('tailwater-token', token)
    .header('tailwater-freshness', JSON.stringify(freshness))
    .send(Readable.from(body, { objectMode: false, highWaterMark: 1024 * 1024 }));
}

function parsedFilter(text: string): JsonObject {
  try {
    const filter: unknown = JSON.parse(text);
    if (isJsonObject(filter)) return filter;
  } catch {
    // Said below, as for JSON that is no object.
  }
  throw badQuery('filter', 'must be a JSON object, such as {"status":"open"}');
}

function parsedShard(text: string): { index: number; count: number } {
  const match = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  if (match === null) throw badQuery('shard', 'must be i/n, such as 0/4 for the first of four');
  return { index: Number(match[1]), count: Number(match[2]) };
}

function badQuery(field: string, why: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', {
    detail: `"${field}" in the query string ${why}.`,
    data: { field, in: 'querystring' },
  });
}

export function addSqlRoute(app: App, { engine }: HttpContext): void {
  app.post(
    '/v1/sql',
    {
      preValidation: parseJsonBody,
      schema: { summary: 'Run a SELECT over streams at one instant', body: SqlBody, response: answers(SqlAnswerSchema) },
    },
    async (request, reply) => {
      const query = request.body as SqlRequest;
      const consistency = query.consistency ?? tokenConsistency(request.headers);
      const reads = readsFor(request, engine);
      const answer = await reads.sql(consistency === undefined ? query : { ...query, consistency }, clientSignal(reply));
      return sendWithToken(reply, encodeSqlAnswer(answer), answer.token);
    },
  );
}
