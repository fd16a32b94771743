import { type Context, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { tracer } from '../tracing/span.ts';
import type { App } from './context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the engine does for it is done within; null: nobody records it. */
    traceContext: Context | null;
  }
}

/** A span for every request that has a route, part of the caller's trace when it sends `traceparent` (W3C Trace Context). */
export function addTracing(app: App): void {
  app.decorateRequest('traceContext', null);
  app.addHook('onRequest', (request, _reply, done) => {
    const { url: route } = request.routeOptions;
    if (route === undefined) return done();
    const caller = propagation.extract(context.active(), request.headers);
    const attributes = { 'http.request.method': request.method, 'http.route': route, 'tailwater.request_id': request.id };
    const span = tracer.startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER, attributes }, caller);
    if (span.isRecording()) request.traceContext = trace.setSpan(caller, span);
    done();
  });
  // After the body was read, whose events are not part of the request's chain of calls.
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.traceContext === null) return done();
    context.with(request.traceContext, done);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const span = spanOf(request.traceContext);
    span?.setAttribute('http.response.status_code', reply.statusCode);
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
    done();
  });
}

/** For logs: the trace that a request is part of. */
export function traceIdOf(traceContext: Context | null): string | undefined {
  return spanOf(traceContext)?.spanContext().traceId;
}

function spanOf(traceContext: Context | null): Span | undefined {
  return traceContext === null ? undefined : trace.getSpan(traceContext);
}
