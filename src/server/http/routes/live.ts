import type { IncomingHttpHeaders } from 'node:http';
import { type Static, Type } from '@fastify/type-provider-typebox';
import { isJsonObject, type JsonObject, TailwaterError } from '../../../base/index.ts';
import type { ContextAnswer, ContextCall } from '../../../context/index.ts';
import type { LiveAnswer } from '../../../live/index.ts';
import type { SearchAnswer } from '../../../retrieval/index.ts';
import type { ReadFrom } from '../../../snapshot/index.ts';
import { encodeQueryAnswer, encodeRecord } from '../../api-encoding.ts';
import { parseReadFrom } from '../../api-mapping.ts';
import { readsFor } from '../authorise.ts';
import type { App, HttpContext } from '../context.ts';
import { QueryBody, StreamParams } from '../schemas.ts';
import { type LiveEvent, type LiveEvents, oneLine, serveEvents } from '../serve-events.ts';
import { ContextParams } from './contexts.ts';
import { PROBLEM_ANSWER, parseJsonBody } from './route-parts.ts';

const LiveQueryBody = Type.Object(
  {
    ...Type.Omit(QueryBody, ['consistency']).properties,
    emit: Type.Optional(
      Type.Union([Type.Literal('answers'), Type.Literal('matches')], {
        description:
          'answers (default): the answer now, and whenever it is another one. matches: each new record that matches, once.',
      }),
    ),
    from: Type.Optional(
      Type.Union([Type.String(), Type.Integer()], { description: 'With matches: where to begin, as in reads; default latest.' }),
    ),
    after: Type.Optional(Type.String({ description: 'The token of the last event seen; also as Last-Event-ID.' })),
  },
  { additionalProperties: false },
);
const LiveContextQuery = Type.Object(
  {
    params: Type.Optional(Type.String({ description: 'A JSON object of its parameters.' })),
    version: Type.Optional(Type.String()),
    budget: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Tokens.' })),
    after: Type.Optional(Type.String({ description: 'The token of the last answer seen; also as Last-Event-ID.' })),
  },
  { additionalProperties: false },
);
const response = {
  200: {
    description: 'Server-sent events: `ready`, then `answer` or `match`, each with the token that resumes after it as its id.',
    content: { 'text/event-stream': { schema: { type: 'string' } } },
  },
  default: PROBLEM_ANSWER,
};

export function addLiveRoutes(app: App, context: HttpContext): void {
  app.post(
    '/v1/streams/:stream/query/live',
    {
      preValidation: parseJsonBody,
      schema: {
        summary: 'Search a stream, and again whenever the answer changes',
        params: StreamParams,
        body: LiveQueryBody,
        response,
      },
    },
    (request, reply) => {
      const { emit = 'answers', after: given, from, ...query } = request.body as Static<typeof LiveQueryBody>;
      const after = startOf(request.headers, given);
      const { stream } = request.params;
      const start = from === undefined ? {} : { from: parseReadFrom(from) };
      if (emit === 'answers' && from !== undefined) throw answersBegin();
      const open = emit === 'answers' ? openAnswers : openMatches;
      return serveEvents(context, request, reply, signal => open(context, stream, query, { ...after, ...start, signal }));
    },
  );
  app.get<{ Params: { context: string } }>(
    '/v1/contexts/:context/live',
    {
      schema: {
        summary: 'Assemble a context, and again whenever it changes',
        params: ContextParams,
        querystring: LiveContextQuery,
        response,
      },
    },
    (request, reply) => {
      const { after: given, ...asked } = request.query as Static<typeof LiveContextQuery>;
      const after = startOf(request.headers, given);
      const call = contextCall(asked);
      return serveEvents(context, request, reply, async signal => {
        const wanted = await readsFor(request, context.engine).contexts.request(request.params.context, call);
        const answers = await context.engine.live.context(wanted, { ...after, signal });
        return { events: eventsOf(answers, (answer: ContextAnswer) => JSON.stringify(answer)) };
      });
    },
  );
}

function answersBegin(): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', {
    detail: 'Answers begin now: only matches have a `from`.',
    data: { field: 'from', in: 'body' },
  });
}

function startOf(headers: IncomingHttpHeaders, given: string | undefined): { after?: string } {
  const last = headers['last-event-id'];
  const after = typeof last === 'string' && last !== '' ? last : given;
  return after === undefined ? {} : { after };
}

type Query = Omit<Static<typeof LiveQueryBody>, 'emit' | 'after' | 'from'>;
type Call = { after?: string; from?: ReadFrom; signal: AbortSignal };

async function openAnswers({ engine }: HttpContext, stream: string, query: Query, call: Call): Promise<LiveEvents> {
  const answers = await engine.live.query(stream, query, call);
  const { kind } = engine.definition(stream);
  return { events: eventsOf(answers, (answer: SearchAnswer) => encodeQueryAnswer(answer, kind)) };
}

async function openMatches({ engine }: HttpContext, stream: string, query: Query, call: Call): Promise<LiveEvents> {
  const { token, matches } = await engine.live.matches(stream, query, call);
  return { token, events: matchesOf(matches) };
}

async function* matchesOf(
  matches: Awaited<ReturnType<HttpContext['engine']['live']['matches']>>['matches'],
): AsyncGenerator<LiveEvent> {
  for await (const { record, token } of matches) yield { event: 'match', data: oneLine(encodeRecord(record)), id: token };
}

/** Many may wait for the same answer: it is written once. */
const written = new WeakMap<object, LiveEvent>();

async function* eventsOf<T extends { token: string }>(
  answers: AsyncIterable<LiveAnswer<T>>,
  encode: (answer: T) => string,
): AsyncGenerator<LiveEvent> {
  for await (const live of answers) {
    let event = written.get(live);
    if (event === undefined) {
      const { answer, difference } = live;
      event = {
        event: 'answer',
        data: oneLine(`{"answer":${encode(answer)},"difference":${JSON.stringify(difference)}}`),
        id: answer.token,
      };
      written.set(live, event);
    }
    yield event;
  }
}

/** Throws TW_BAD_REQUEST. */
function contextCall({ params, version, budget }: { params?: string; version?: string; budget?: number }): ContextCall {
  return {
    ...(params === undefined ? {} : { params: paramsOf(params) }),
    ...(version === undefined ? {} : { version }),
    ...(budget === undefined ? {} : { budget: { tokens: budget } }),
  };
}

function paramsOf(text: string): JsonObject {
  const params = parsedOrNull(text);
  if (isJsonObject(params)) return params;
  throw new TailwaterError('TW_BAD_REQUEST', {
    detail: '"params" in the query string must be a JSON object.',
    data: { field: 'params', in: 'querystring' },
  });
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
