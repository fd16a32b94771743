import { type Attributes, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { asTailwaterError } from '../../base/index.ts';

/** Of whatever provider the process has registered; without one nothing is recorded, and next to nothing is done. */
export const tracer = trace.getTracer('tailwater');

/** Runs a step as a span, the parent of those that begin within it. A promise ends it when it settles. */
export function inSpan<T>(name: string, attributes: Attributes, run: () => T): T {
  return tracer.startActiveSpan(name, { attributes }, span => {
    try {
      const result = run();
      if (result instanceof Promise) return untilSettled(span, result) as T;
      span.end();
      return result;
    } catch (error) {
      throw failed(span, error);
    }
  });
}

async function untilSettled<T>(span: Span, result: Promise<T>): Promise<T> {
  try {
    const value = await result;
    span.end();
    return value;
  } catch (error) {
    throw failed(span, error);
  }
}

/** Messages may quote what users wrote, so a span has the code alone. */
function failed(span: Span, error: unknown): unknown {
  span.setAttribute('error.type', asTailwaterError(error).code);
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
  return error;
}
