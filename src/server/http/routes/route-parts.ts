import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailwaterError } from '../../../base/index.ts';
import type { Consistency } from '../../../snapshot/index.ts';
import { parseJson } from '../parse-json.ts';
import { ProblemSchema } from '../schemas.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

/** The response schemas of a route, for the OpenAPI document: answers are written by hand. */
export function answers(schema: object): Record<string, object> {
  return { 200: { description: 'Done.', ...schema }, default: PROBLEM_ANSWER };
}

export const PROBLEM_ANSWER = {
  description: 'A problem (RFC 9457).',
  content: { 'application/problem+json': { schema: ProblemSchema } },
};

export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-type', JSON_TYPE).send(text);
}

/** An answer with its token in a header as well, for readers that do not parse the body. */
export function sendWithToken(reply: FastifyReply, text: string, token: string): FastifyReply {
  return reply.header('content-type', JSON_TYPE).header('tailwater-token', token).send(text);
}

type ConsistencyQuery = { atLeast?: string; strong?: boolean; maxStalenessMs?: number; asOf?: string };

/** From the query string, else from the Tailwater-Token header (as `atLeast`); undefined leaves the default to the engine. */
export function consistencyOf(query: ConsistencyQuery, headers: IncomingHttpHeaders): Consistency | undefined {
  const given: Consistency[] = [];
  if (query.atLeast !== undefined) given.push({ atLeast: query.atLeast });
  if (query.strong === true) given.push({ strong: true });
  if (query.maxStalenessMs !== undefined) given.push({ maxStalenessMs: query.maxStalenessMs });
  if (query.asOf !== undefined) given.push({ asOf: query.asOf });
  if (given.length > 1) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `Give only one of atLeast, strong, maxStalenessMs and asOf; ${given.map(one => Object.keys(one)[0]).join(' and ')} were given.`,
      data: { field: Object.keys(given[1])[0], in: 'querystring' },
    });
  }
  return given[0] ?? tokenConsistency(headers);
}

export function tokenConsistency(headers: IncomingHttpHeaders): Consistency | undefined {
  const token = headers['tailwater-token'];
  return typeof token === 'string' && token !== '' ? { atLeast: token } : undefined;
}

/** A preValidation hook: the body as JSON, whatever buffer came. */
export async function parseJsonBody(request: FastifyRequest): Promise<void> {
  if (!Buffer.isBuffer(request.body)) return;
  if (!isJson(request.headers)) {
    throw new TailwaterError('TW_UNSUPPORTED_MEDIA_TYPE', { detail: 'This route takes application/json only.' });
  }
  request.body = parseJson(request.body);
}

export function isJson(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']!.toLowerCase().startsWith('application/json');
}

/** Aborts when the client goes away before its answer is out. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const left = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableEnded) left.abort();
  });
  return left.signal;
}
