import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { asTailwaterError, TailwaterError } from '../../base/index.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** What fastify itself rejects, as our errors; anything unknown is TW_INTERNAL. */
export function fromFastifyError(error: unknown): TailwaterError {
  if (error instanceof TailwaterError || !(error instanceof Error)) return asTailwaterError(error);
  const { validation, validationContext, statusCode, code } = error as FastifyError;
  if (validation !== undefined) return invalidPart(validation[0], validationContext ?? 'request');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new TailwaterError('TW_UNSUPPORTED_MEDIA_TYPE', { detail: 'The Content-Type of this body is not supported here.' });
  }
  if (code === 'FST_ERR_BAD_URL')
    return new TailwaterError('TW_BAD_REQUEST', { detail: 'The path is not validly percent-encoded UTF-8.' });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new TailwaterError('TW_BAD_REQUEST', { detail: error.message, cause: error });
  }
  return asTailwaterError(error);
}

type ValidationFault = NonNullable<FastifyError['validation']>[number];

const PART_NAMES: Record<string, string> = {
  body: 'the body',
  querystring: 'the query string',
  params: 'the path',
  headers: 'the headers',
};

/** Names the field at fault as a client would write it: `filter.limit`, not `/filter/limit`. */
function invalidPart(fault: ValidationFault, context: string): TailwaterError {
  const { additionalProperty, missingProperty, allowedValues } = fault.params as Record<string, unknown>;
  const within = fault.instancePath.split('/').slice(1);
  const own = additionalProperty ?? missingProperty;
  const field = [...within, ...(own === undefined ? [] : [String(own)])].join('.');
  const reason =
    additionalProperty !== undefined
      ? 'is not known'
      : missingProperty !== undefined
        ? 'is required'
        : `${fault.message}${Array.isArray(allowedValues) ? `: ${allowedValues.join(', ')}` : ''}`;
  const subject = field === '' ? '' : `"${field}" in `;
  const part = PART_NAMES[context] ?? context;
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${capital(subject + part)} ${reason}.`, data: { field, in: context } });
}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}

/** Answers with a problem document (RFC 9457), and Retry-After in whole seconds when there is a time to wait. */
export function sendProblem(reply: FastifyReply, error: TailwaterError): FastifyReply {
  if (error.retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
  return reply.code(error.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(error.toProblem()));
}

export function notFound(request: FastifyRequest): TailwaterError {
  return new TailwaterError('TW_NOT_FOUND', {
    detail: `There is no route ${request.method} ${request.url.split('?')[0].slice(0, 200)}.`,
  });
}

/** Answers what is not HTTP at all; there is no request object then, only the socket. */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const problem = new TailwaterError('TW_BAD_REQUEST', {
    detail: `The HTTP request cannot be read (${error.code ?? error.message}).`,
  });
  const body = JSON.stringify(problem.toProblem());
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
