import type { FastifyReply } from 'fastify';
import { asTailwaterError, TailwaterError } from '../../base/index.ts';
import type { LiveRecord } from '../../snapshot/index.ts';
import { encodeRecord } from '../api-encoding.ts';
import type { EngineFollowOptions } from '../engine-types.ts';
import type { HttpContext } from './context.ts';
import { EventStream } from './event-stream.ts';
import type { Follower } from './followers.ts';

/**
 * Serves one live follow until its reader leaves, the server stops or the engine fails. Events: `record` with the record and the token
 * that resumes after it; `ready` at the start with a token, so that a follow from the end resumes where it began even when it saw nothing;
 * last, `end` when the server stops, or `problem` with a problem document.
 */
export async function serveFollow(
  context: HttpContext,
  name: string,
  options: EngineFollowOptions,
  reply: FastifyReply,
): Promise<void> {
  const leave = new AbortController();
  let stopping = false;
  const follower: Follower = {
    end: () => {
      stopping = true;
      leave.abort();
    },
  };
  context.followers.add(follower);
  let events: EventStream | null = null;
  try {
    const start = await startOf(context, name, options);
    reply.hijack();
    const response = reply.raw;
    response.on('close', () => leave.abort());
    events = new EventStream(response, context.clock, context.settings, () => context.followers.countStalled());
    events.push('ready', '{}', start.after);
    await pump(context.engine.follow(name, { ...start, signal: leave.signal }), events, leave.signal);
    if (stopping) events.push('end', '{"reason":"The server is stopping."}');
  } catch (error) {
    if (events === null) throw error;
    if (stopping) events.push('end', '{"reason":"The server is stopping."}');
    else if (!leave.signal.aborted) events.push('problem', JSON.stringify(asTailwaterError(error).toProblem()));
  } finally {
    context.followers.delete(follower);
    events?.end();
  }
}

/** A follow from the end is pinned to a token first, so that nothing is missed between now and the first record. */
async function startOf({ engine }: HttpContext, name: string, options: EngineFollowOptions): Promise<EngineFollowOptions> {
  if (options.after !== undefined || options.from?.kind !== 'latest') return options;
  const { from: _, ...rest } = options;
  const { token } = await engine.read(name, { partition: options.partition ?? 0, from: { kind: 'latest' }, limit: 1 });
  return { ...rest, after: token };
}

async function pump(records: AsyncIterable<LiveRecord>, events: EventStream, left: AbortSignal): Promise<void> {
  for await (const { record, token } of records) {
    if (left.aborted) return;
    // Line breaks between the tokens of a value are not part of it, but would end the event's line.
    const accepted = events.push('record', encodeRecord(record).replaceAll(/[\r\n]/g, ' '), token);
    if (!accepted) await events.ready();
  }
  if (!left.aborted) throw new TailwaterError('TW_CLOSED', { detail: 'The stream ended.', retryAfterMs: 1000 });
}
