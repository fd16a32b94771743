import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { Clock, Logger } from '../../base/index.ts';
import type { Authenticator } from '../access/authenticator.ts';
import type { EngineLike } from '../engine-types.ts';
import type { Admission } from './admission.ts';
import type { Followers } from './followers.ts';
import type { HttpMetrics } from './http-metrics.ts';
import type { RequestRates } from './rate-limits.ts';

export interface HttpSettings {
  /** Of a body, as sent and as inflated. Default 64 MiB. */
  maxBodyBytes: number;
  /** Requests under way, live follows not among them. Default 1,024. */
  maxInFlight: number;
  /** Request bodies held together. Default 512 MiB. */
  maxBufferedBytes: number;
  /** Live follows. Default 1,024. */
  maxFollowers: number;
  /** Silence on a live follow after which a comment is sent. Default 15,000. */
  heartbeatMs: number;
  /** How long a follower may read nothing before it is disconnected; it resumes by its token. Default 30,000. */
  stallMs: number;
  /** How long requests in flight may take once the server stops. Default 30,000. */
  drainMs: number;
  /** A line of the log for every request. Default false. */
  logRequests: boolean;
}

export const HTTP_DEFAULTS: HttpSettings = {
  maxBodyBytes: 64 * 1024 * 1024,
  maxInFlight: 1024,
  maxBufferedBytes: 512 * 1024 * 1024,
  maxFollowers: 1024,
  heartbeatMs: 15_000,
  stallMs: 30_000,
  drainMs: 30_000,
  logRequests: false,
};

/** What routes work with. */
export interface HttpContext {
  engine: EngineLike;
  clock: Clock;
  logger: Logger;
  settings: HttpSettings;
  admission: Admission;
  followers: Followers;
  metrics: HttpMetrics;
  rates: RequestRates;
  /** Null: nobody is asked who they are. */
  authenticator: Authenticator | null;
  /** Set when the server stops: everything new is refused. */
  stopping: boolean;
}

export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Body bytes held; -1: not admitted, or given back already. */
    heldBytes: number;
  }
}
