import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';

export interface TraceSettings {
  /** Where spans go, by OTLP over HTTP: http://localhost:4318/v1/traces. */
  endpoint: string;
  /** The share of traces that begin here and are kept, 0 to 1; those that a caller began are kept when the caller keeps them. Default 1. */
  sampleRatio: number;
  /** Default `tailwater`. */
  serviceName: string;
}

export const TRACE_DEFAULTS = { sampleRatio: 1, serviceName: 'tailwater' };

/** Spans that wait to be sent; more are dropped, since tracing must not hold anything up. */
const MAX_WAITING_SPANS = 8192;

/** Registers for the whole process who records spans and where they go. Returns how to send what is left and stop. */
export function startTracing({ endpoint, sampleRatio, serviceName }: TraceSettings): () => Promise<void> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: endpoint }), maxQueueSize: MAX_WAITING_SPANS }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return async () => {
    // Whoever collects spans may be away: that is no reason not to stop.
    await provider.shutdown().catch(() => {});
    for (const api of [trace, propagation, context]) api.disable();
  };
}
