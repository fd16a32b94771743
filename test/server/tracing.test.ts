import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/index.ts';
import { startTracing } from '../../src/server/tracing/export.ts';
import { temporaryEngine } from './engine-support.ts';
import { startServer, type TestServer } from './http-support.ts';

interface ExportedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: { key: string; value: Record<string, string | number> }[];
}

const CALLER = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const HEADERS = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` };

const spans: ExportedSpan[] = [];
const lines: Record<string, unknown>[] = [];
const closing = new AsyncDisposableStack();
let server: TestServer;
let stopTracing: () => Promise<void>;

beforeAll(async () => {
  const collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString());
    for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
    response.setHeader('content-type', 'application/json').end('{}');
  });
  await new Promise<void>(resolve => collector.listen(0, '127.0.0.1', resolve));
  closing.defer(() => void collector.close());
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`;
  stopTracing = startTracing({ endpoint, sampleRatio: 0, serviceName: 'test' });
  const logger: Logger = { ...silentLogger, info: facts => void lines.push(facts as Record<string, unknown>) };
  const { engine } = closing.use(await temporaryEngine()).tailwater;
  server = await startServer(engine, { logger, logRequests: true });
  closing.use(server);
  await engine.createStream('orders', { kind: 'append' });
  await server.post(
    '/v1/streams/orders/records',
    { records: [{ value: { total: 3 } }] },
    { ...HEADERS, 'x-request-id': 'order-1' },
  );
  await server.post('/v1/streams/orders/query', { limit: 1 }, HEADERS);
  await server.post('/v1/streams/none/query', { text: 'secret words' }, HEADERS);
  await server.post('/v1/streams/orders/records', { records: [{ value: { total: 4 } }] });
  await stopTracing();
});

afterAll(() => closing.disposeAsync());

const named = (name: string): ExportedSpan[] => spans.filter(span => span.name === name);
const attribute = (span: ExportedSpan, key: string): string | number | undefined =>
  Object.values(span.attributes.find(each => each.key === key)?.value ?? {})[0];

test('a request is a span of its caller’s trace, and what the engine does for it is within', () => {
  const [request] = named('POST /v1/streams/:stream/records');
  expect(request).toMatchObject({ traceId: CALLER.traceId, parentSpanId: CALLER.spanId });
  expect(attribute(request, 'http.response.status_code')).toBe(200);
  const [append] = named('tailwater.append');
  expect(append).toMatchObject({ traceId: CALLER.traceId, parentSpanId: request.spanId });
  expect(attribute(append, 'tailwater.name')).toBe('orders');
  expect(named('tailwater.query')).toHaveLength(2);
});

test('a failure is marked with its code, and nothing that a user wrote', () => {
  const failed = named('tailwater.query').find(span => attribute(span, 'tailwater.name') === 'none')!;
  expect(attribute(failed, 'error.type')).toBe('TW_STREAM_NOT_FOUND');
  expect(JSON.stringify(spans)).not.toContain('secret words');
});

test('a trace that nobody keeps is not sent', () => {
  expect(named('tailwater.append')).toHaveLength(1);
});

test('the log has a line for each request, with the id that the answer had and the trace', () => {
  const requests = lines.filter(line => line.route !== undefined);
  expect(requests.map(({ method, status }) => [method, status])).toEqual([
    ['POST', 200],
    ['POST', 200],
    ['POST', 404],
    ['POST', 200],
  ]);
  expect(requests[0]).toMatchObject({ requestId: 'order-1', route: '/v1/streams/:stream/records', traceId: CALLER.traceId });
  expect(new Set(requests.map(({ requestId }) => requestId)).size).toBe(4);
});

test.each([
  ['as it came', 'abc-1:2/3', 'abc-1:2/3'],
  ['not when a log should not quote it', 'a"b', null],
  ['not when it is long', 'x'.repeat(129), null],
])('a client names its request: %s', async (_name, given, expected) => {
  const { headers } = await server.fetch('/healthz', { headers: { 'x-request-id': given } });
  const answered = headers.get('x-request-id');
  if (expected === null) expect(answered).toMatch(/^[a-z0-9]{16}-\d+$/);
  else expect(answered).toBe(expected);
});
