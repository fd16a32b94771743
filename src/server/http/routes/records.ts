import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import { isJsonObject, TailwaterError } from '../../../base/index.ts';
import type { LiveRecord } from '../../../snapshot/index.ts';
import { decodeToken } from '../../../streams/index.ts';
import type { AppendAnswer, AppendOptions, SourceProgress } from '../../api.ts';
import { encodeAppendAnswer, encodeReadAnswer, encodeRecord } from '../../api-encoding.ts';
import { parseReadFrom } from '../../api-mapping.ts';
import type { AppendInput, EngineFollowOptions, EngineReadOptions } from '../../engine-types.ts';
import type { App, HttpContext } from '../context.ts';
import { parseRecords } from '../parse-json.ts';
import { AppendAnswerSchema, AppendQuery, ReadAnswerSchema, ReadQuery, RecordsBody, StreamParams } from '../schemas.ts';
import { type LiveEvent, type LiveEvents, oneLine, serveEvents } from '../serve-events.ts';
import { answers, consistencyOf, isJson, PROBLEM_ANSWER, sendWithToken } from './route-parts.ts';

export function addRecordRoutes(app: App, context: HttpContext): void {
  addAppendRoute(app, context);
  addReadRoute(app, context);
}

function addAppendRoute(app: App, { engine }: HttpContext): void {
  app.post(
    '/v1/streams/:stream/records',
    {
      // The body is checked record by record on its way into the log; a schema here would cost a parse and lose digits.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Append records',
        params: StreamParams,
        querystring: AppendQuery,
        body: {
          content: {
            'application/json': { schema: RecordsBody },
            'application/x-ndjson': { schema: { type: 'string', description: 'A JSON value a line.' } },
          },
        },
        response: answers(AppendAnswerSchema),
      },
    },
    (request, reply) => {
      const { headers, query, params } = request;
      const envelope = (query as { envelope?: string }).envelope;
      const input = appendInput(request.body, headers, envelope);
      return engine
        .append((params as { stream: string }).stream, input, appendOptions(headers))
        .then(answer => sendAppended(reply, answer));
    },
  );
}

export function sendAppended(reply: FastifyReply, answer: AppendAnswer): FastifyReply {
  return sendWithToken(reply, encodeAppendAnswer(answer), answer.token);
}

function appendInput(body: unknown, headers: IncomingHttpHeaders, envelope: string | undefined): AppendInput {
  if (envelope !== undefined && envelope !== 'record' && envelope !== 'value') {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `"envelope" in the query string is ${JSON.stringify(envelope)}; it must be record or value.`,
      data: { field: 'envelope', in: 'querystring' },
    });
  }
  if (!Buffer.isBuffer(body)) throw new TailwaterError('TW_BAD_REQUEST', { detail: 'The request has no body; send records.' });
  return isJson(headers) ? { records: parseRecords(body) } : { ndjson: body, envelope: envelope === 'record' };
}

const MAX_KEY_CHARACTERS = 1024;
const NO_OPTIONS: AppendOptions = {};

/** Source progress comes as one header of JSON (non-ASCII escaped), so that it can stand beside an NDJSON body. */
function appendOptions(headers: IncomingHttpHeaders): AppendOptions {
  const key = headers['idempotency-key'];
  const source = headers['tailwater-source'];
  if (key === undefined && source === undefined) return NO_OPTIONS;
  return {
    ...(key === undefined ? {} : { idempotencyKey: checkedKey(String(key)) }),
    ...(source === undefined ? {} : { source: parseSource(String(source)) }),
  };
}

function checkedKey(key: string): string {
  if (key.length >= 1 && key.length <= MAX_KEY_CHARACTERS) return key;
  throw new TailwaterError('TW_BAD_REQUEST', {
    detail: `The Idempotency-Key has ${key.length} characters; it must have 1 to ${MAX_KEY_CHARACTERS}.`,
    data: { field: 'idempotency-key', in: 'headers' },
  });
}

function parseSource(header: string): SourceProgress {
  const source = parsedOrNull(header);
  if (
    isJsonObject(source) &&
    typeof source.source === 'string' &&
    typeof source.contentHash === 'string' &&
    Number.isSafeInteger(source.position) &&
    typeof source.done === 'boolean'
  ) {
    return { source: source.source, contentHash: source.contentHash, position: Number(source.position), done: source.done };
  }
  throw new TailwaterError('TW_BAD_REQUEST', {
    detail: 'The Tailwater-Source header must be a JSON object of source, contentHash, position and done.',
    data: { field: 'tailwater-source', in: 'headers' },
  });
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function addReadRoute(app: App, context: HttpContext): void {
  app.get(
    '/v1/streams/:stream/records',
    {
      schema: {
        summary: 'Read records in offset order, or follow them live (Accept: text/event-stream)',
        params: StreamParams,
        querystring: ReadQuery,
        response: {
          200: {
            description: 'A page of records; or, as events, each record with the token that resumes after it (Last-Event-ID).',
            content: { 'application/json': { schema: ReadAnswerSchema }, 'text/event-stream': { schema: { type: 'string' } } },
          },
          default: PROBLEM_ANSWER,
        },
      },
    },
    async (request, reply) => {
      const { stream } = request.params;
      const { partition, from, limit, ...consistencyQuery } = request.query;
      const start = {
        ...(partition === undefined ? {} : { partition }),
        ...(from === undefined ? {} : { from: parseReadFrom(from) }),
      };
      if (request.method === 'GET' && request.headers.accept?.includes('text/event-stream')) {
        await context.engine.find(stream);
        const options = followOptions(context, stream, start, request.headers);
        return serveEvents(context, request, reply, signal => openFollow(context, stream, { ...options, signal }));
      }
      const consistency = consistencyOf(consistencyQuery, request.headers);
      const options: EngineReadOptions = { ...start, ...(limit === undefined ? {} : { limit }) };
      if (consistency !== undefined) options.consistency = consistency;
      const page = await context.engine.read(stream, options);
      return sendWithToken(reply, encodeReadAnswer(page), page.token);
    },
  );
}

/** Checks what can be checked before the answer begins, since afterwards there is no status code to say it with. */
function followOptions(
  { engine }: HttpContext,
  stream: string,
  start: Pick<EngineFollowOptions, 'partition' | 'from'>,
  headers: IncomingHttpHeaders,
): EngineFollowOptions {
  const { partitions } = engine.definition(stream);
  if (start.partition !== undefined && start.partition >= partitions) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `Partition ${start.partition} does not exist; stream ${stream} has ${partitions}.`,
      data: { field: 'partition', in: 'querystring' },
    });
  }
  const after = headers['last-event-id'];
  if (typeof after === 'string' && after !== '') {
    decodeToken(after);
    return { ...(start.partition === undefined ? {} : { partition: start.partition }), after };
  }
  return { from: { kind: 'latest' }, ...start };
}

/** A follow from the end is pinned to a token first, so that nothing is missed between now and the first record. */
async function openFollow({ engine }: HttpContext, name: string, options: EngineFollowOptions): Promise<LiveEvents> {
  const { after, from, ...rest } = options;
  if (after !== undefined) return { token: after, events: eventsOf(engine.follow(name, options)) };
  if (from?.kind !== 'latest') return { events: eventsOf(engine.follow(name, options)) };
  const { token } = await engine.read(name, { partition: options.partition ?? 0, from: { kind: 'latest' }, limit: 1 });
  return { token, events: eventsOf(engine.follow(name, { ...rest, after: token })) };
}

async function* eventsOf(records: AsyncIterable<LiveRecord>): AsyncGenerator<LiveEvent> {
  for await (const { record, token } of records) yield { event: 'record', data: oneLine(encodeRecord(record)), id: token };
}
