import type { FastifyReply } from 'fastify';
import type { ErrorCode, TailwaterError } from '../../../base/index.ts';

/** The names that the catalog's protocol has for what its clients tell apart. */
const TYPES: Partial<Record<ErrorCode, string>> = {
  TW_NAMESPACE_NOT_FOUND: 'NoSuchNamespaceException',
  TW_TABLE_NOT_FOUND: 'NoSuchTableException',
  TW_CATALOG_VIEW_NOT_FOUND: 'NoSuchViewException',
  TW_CATALOG_UNSUPPORTED: 'UnsupportedOperationException',
  TW_NAMESPACE_EXISTS: 'AlreadyExistsException',
  TW_TABLE_EXISTS: 'AlreadyExistsException',
  TW_NAMESPACE_NOT_EMPTY: 'NamespaceNotEmptyException',
  TW_TABLE_OF_STREAM: 'ForbiddenException',
  TW_COMMIT_CONFLICT: 'CommitFailedException',
  TW_CONTRADICTION: 'UnprocessableEntityException',
  TW_OUTCOME_UNKNOWN: 'CommitStateUnknownException',
  TW_NOT_FOUND: 'NotFoundException',
};

const TYPES_BY_STATUS: Readonly<Record<number, string>> = {
  401: 'NotAuthorizedException',
  403: 'ForbiddenException',
  404: 'NotFoundException',
  409: 'CommitFailedException',
  429: 'TooManyRequestsException',
  503: 'ServiceUnavailableException',
};

/** `{"error": {message, type, code}}`, as the protocol has it, with what Tailwater's own errors say beside. */
export function catalogError(error: TailwaterError): { status: number; body: object } {
  // Clients take 503 for "not done, try again": an outcome that is not known must not look like that.
  const status = error.code === 'TW_OUTCOME_UNKNOWN' ? 500 : error.status;
  const type = TYPES[error.code] ?? TYPES_BY_STATUS[status] ?? (status < 500 ? 'BadRequestException' : 'InternalServerError');
  const { code, action } = error.toProblem();
  return { status, body: { error: { message: `${error.message} (${code}: ${action})`, type, code: status } } };
}

export function sendCatalogError(reply: FastifyReply, error: TailwaterError): FastifyReply {
  const { status, body } = catalogError(error);
  if (error.retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
  return reply.code(status).header('content-type', 'application/json').send(JSON.stringify(body));
}
