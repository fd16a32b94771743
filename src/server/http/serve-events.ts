import type { FastifyReply, FastifyRequest } from 'fastify';
import { asTailwaterError, TailwaterError } from '../../base/index.ts';
import type { HttpContext } from './context.ts';
import { EventStream } from './event-stream.ts';
import type { Follower } from './followers.ts';

export interface LiveEvent {
  event: string;
  /** JSON, in one line. */
  data: string;
  /** The token that resumes after it. */
  id: string;
}

export interface LiveEvents {
  /** The token that resumes where the events begin, where there is one: a reader that saw nothing misses nothing. */
  token?: string;
  events: AsyncIterable<LiveEvent>;
}

/** Line breaks between the tokens of a JSON value are not part of it, but would end the event's line. */
export function oneLine(json: string): string {
  return json.replaceAll(/[\r\n]/g, ' ');
}

/**
 * Serves what is live until its reader leaves, the server stops or the engine fails. What `open` throws is an ordinary answer. Events: `ready` at the
 * start; those of `open`; last, `end` when the server stops, or `problem` with a problem document.
 */
export async function serveEvents(
  context: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
  open: (signal: AbortSignal) => Promise<LiveEvents>,
): Promise<FastifyReply> {
  const leave = new AbortController();
  let stopping = false;
  const follower: Follower = {
    end: () => {
      stopping = true;
      leave.abort();
    },
  };
  // It lasts too long to count among the requests that are being answered.
  context.admission.leave(request.heldBytes);
  request.heldBytes = -1;
  context.followers.add(follower);
  let events: EventStream | null = null;
  try {
    const response = reply.raw;
    response.on('close', () => leave.abort());
    const { token, events: source } = await open(leave.signal);
    reply.hijack();
    events = new EventStream(response, context.clock, context.settings, () => context.followers.countStalled());
    events.push('ready', '{}', token);
    await pump(source, events, leave.signal);
    if (stopping) events.push('end', '{"reason":"The server is stopping."}');
  } catch (error) {
    if (events === null) throw error;
    if (stopping) events.push('end', '{"reason":"The server is stopping."}');
    else if (!leave.signal.aborted) events.push('problem', JSON.stringify(asTailwaterError(error).toProblem()));
  } finally {
    context.followers.delete(follower);
    events?.end();
  }
  return reply;
}

async function pump(source: AsyncIterable<LiveEvent>, events: EventStream, left: AbortSignal): Promise<void> {
  for await (const { event, data, id } of source) {
    if (left.aborted) return;
    const accepted = events.push(event, data, id);
    if (!accepted) await events.ready();
  }
  if (!left.aborted) throw new TailwaterError('TW_CLOSED', { detail: 'The stream ended.', retryAfterMs: 1000 });
}
