import type { IncomingMessage } from 'node:http';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Ajv } from 'ajv';
import fastify, { type FastifyReply, type FastifyRequest, type FastifySchemaCompiler } from 'fastify';
import { systemRandom, TailwaterError } from '../../base/index.ts';
import { addAuthorisation } from './authorise.ts';
import type { App, HttpContext } from './context.ts';
import { addRequestLog, requestFacts } from './log-requests.ts';
import { fromFastifyError, notFound, refuseConnection, sendProblem } from './problems.ts';
import { addRateLimits } from './rate-limits.ts';
import { readBody } from './read-body.ts';
import { answerRequestIds, requestIds } from './request-ids.ts';
import type { TlsPair } from './tls-files.ts';
import { addTracing } from './trace-requests.ts';

/** A fastify instance without routes: bodies as buffers, problem documents for every failure, admission, metrics, OpenAPI. */
export function createApp(context: HttpContext, tls: TlsPair | null = null): App {
  const app = fastify({
    ...(tls && { https: tls }),
    // Fastify's request logging costs more than an append; what fails is logged below.
    logger: false,
    requestIdHeader: false,
    genReqId: requestIds(systemRandom),
    bodyLimit: context.settings.maxBodyBytes,
    requestTimeout: 300_000,
    keepAliveTimeout: 72_000,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 16_384 },
    http: { maxHeaderSize: 65_536 },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, fromFastifyError(error));
    },
  }).withTypeProvider<TypeBoxTypeProvider>() as App;

  app.setValidatorCompiler(compileValidator());
  app.setSerializerCompiler(() => data => JSON.stringify(data));
  answerErrors(app, context, sendProblem);
  addBodies(app, context, context.settings.maxBodyBytes);
  answerRequestIds(app);
  addTracing(app);
  if (context.settings.logRequests) addRequestLog(app, context);
  addAuthorisation(app, context.authenticator);
  addRateLimits(app, context.rates);
  addAdmission(app, context);
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tailwater', version: '1', description: 'Streams that are tables: append, read, follow, search.' },
    },
  });
  return app;
}

/** Query strings and paths are text, so numbers in them are converted; bodies are taken as they are. */
function compileValidator(): FastifySchemaCompiler<unknown> {
  const exact = new Ajv({ strict: false });
  const converting = new Ajv({ strict: false, coerceTypes: true, useDefaults: true });
  return ({ schema, httpPart }) => (httpPart === 'body' ? exact : converting).compile(schema as object);
}

/** Every failure of the routes of `app` goes out by `send`; those of the server itself are logged. */
export function answerErrors(
  app: App,
  context: HttpContext,
  send: (reply: FastifyReply, error: TailwaterError) => FastifyReply,
): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = fromFastifyError(error);
    if (problem.status >= 500) logFailure(context, request, problem);
    return send(reply, problem);
  });
  app.setNotFoundHandler((request, reply) => send(reply, notFound(request)));
}

/** The text of an unexpected error may quote a record, so only its place is logged. */
function logFailure({ logger }: HttpContext, request: FastifyRequest, problem: TailwaterError): void {
  const cause = problem.cause instanceof Error ? problem.cause : problem;
  const frames = (cause.stack ?? '').split('\n').filter(line => /^\s+at /.test(line));
  const facts = { code: problem.code, ...requestFacts(request), kind: cause.name, frames };
  logger.error(facts, problem.code === 'TW_INTERNAL' ? 'A request failed' : problem.message);
}

/** Bodies of the routes of `app` come as buffers of at most `maxBodyBytes`. */
export function addBodies(app: App, { admission }: HttpContext, maxBodyBytes: number): void {
  const limits = { admission, maxBodyBytes };
  app.removeAllContentTypeParsers();
  const parse = (request: FastifyRequest, payload: IncomingMessage): Promise<Buffer> => readBody(payload, request, limits);
  app.addContentTypeParser(['application/json', 'application/x-ndjson'], parse);
}

/** Paths that must answer while everything else is refused. */
const UNBOUNDED = new Set(['/healthz', '/readyz', '/metrics']);

function addAdmission(app: App, context: HttpContext): void {
  const { admission, metrics } = context;
  app.decorateRequest('heldBytes', -1);
  app.addHook('onRequest', (request, _reply, done) => {
    if (UNBOUNDED.has(request.url)) return done();
    if (context.stopping) return done(new TailwaterError('TW_CLOSED', { detail: 'The server is stopping.', retryAfterMs: 1000 }));
    try {
      admission.enter();
    } catch (error) {
      return done(error as TailwaterError);
    }
    request.heldBytes = 0;
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    if (request.heldBytes >= 0) admission.leave(request.heldBytes);
    metrics.observe(request, reply);
    done();
  });
}
