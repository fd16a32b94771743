import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailwaterError } from '../../base/index.ts';
import type { Scope } from '../access/access-key.ts';
import type { Authenticator, Identity } from '../access/authenticator.ts';
import { limitedReads, type Reads, reaches } from '../access/limited-reads.ts';
import { limitedSteps } from '../access/limited-steps.ts';
import type { StepsApi } from '../steps-api.ts';
import type { App } from './context.ts';
import { isLimitable, scopesOf } from './route-scopes.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sent it; null: nobody is asked. */
    identity: Identity | null;
  }
}

/** Before anything of a request is read: who sent it, and whether they may. Null: everyone may do everything. */
export function addAuthorisation(app: App, authenticator: Authenticator | null): void {
  app.decorateRequest('identity', null);
  if (authenticator === null) return;
  app.addHook('onRequest', async (request, reply) => {
    const { url } = request.routeOptions;
    const needed = url === undefined ? [] : scopesOf(request.method, url);
    if (needed === null) return;
    request.identity = await identified(authenticator, request, reply);
    for (const scope of needed) requireScope(request, scope);
    requireStream(request);
  });
}

async function identified(authenticator: Authenticator, request: FastifyRequest, reply: FastifyReply): Promise<Identity> {
  try {
    return await authenticator.identify(request.headers.authorization);
  } catch (error) {
    reply.header('www-authenticate', 'Bearer realm="tailwater"');
    throw error;
  }
}

/** TW_FORBIDDEN. */
export function requireScope({ identity }: FastifyRequest, scope: Scope): void {
  if (identity === null || identity.scopes.includes(scope)) return;
  throw forbidden(`The key "${identity.name}" has the scopes ${identity.scopes.join(', ')}; this needs ${scope}.`);
}

/** Whether the sender may know of the stream. */
export function mayTouch({ identity }: FastifyRequest, stream: string): boolean {
  return identity === null || reaches(identity, stream);
}

/** What the sender may ask without a stream in the path. */
export function readsFor({ identity }: FastifyRequest, engine: Reads): Reads {
  return identity === null || identity.streams === null ? engine : limitedReads(engine, identity);
}

/** The steps that the sender may do. */
export function stepsFor({ identity }: FastifyRequest, steps: StepsApi): StepsApi {
  return identity === null || identity.streams === null ? steps : limitedSteps(steps, identity);
}

/** A key that is limited to some streams may ask only what names one of them in its path, and what is limited by what it names elsewhere. */
function requireStream(request: FastifyRequest): void {
  const { identity, routeOptions } = request;
  if (identity === null || identity.streams === null || isLimitable(request.method, routeOptions.url)) return;
  const { stream } = request.params as { stream?: string };
  if (stream !== undefined && mayTouch(request, stream)) return;
  const allowed = identity.streams.map(prefix => `${prefix}…`).join(', ');
  throw forbidden(`The key "${identity.name}" is limited to what names one of the streams ${allowed} in its path.`);
}

function forbidden(detail: string): TailwaterError {
  return new TailwaterError('TW_FORBIDDEN', { detail });
}
