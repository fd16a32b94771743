import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailwaterError } from '../../base/index.ts';
import type { Ask, Rate, RateLimiter, Verdict } from '../limits/rates.ts';
import type { App } from './context.ts';
import { scopesOf } from './route-scopes.ts';

/** Of each key or, where nobody is asked for one, of each address. Null: no limit. */
export interface RateLimitSettings {
  requestsPerSecond: number | null;
  /** Requests at once. Default: those of two seconds. */
  requestsBurst: number | null;
  /** Of the bodies of requests that may write, as they are when they are inflated. */
  bytesPerSecond: number | null;
  /** Default: those of two seconds. A larger body is let in when anything is left, and the next ones wait for it. */
  bytesBurst: number | null;
}

export const NO_RATE_LIMITS: RateLimitSettings = {
  requestsPerSecond: null,
  requestsBurst: null,
  bytesPerSecond: null,
  bytesBurst: null,
};

/** Whoever supervises the server is not refused. */
const UNLIMITED = new Set(['/healthz', '/readyz', '/metrics']);

declare module 'fastify' {
  interface FastifyRequest {
    /** Body bytes that were asked for before it was read; -1: they are not counted. */
    countedBytes: number;
  }
}

/** What the HTTP face limits, and what it refused. */
export class RequestRates {
  readonly #limiter: RateLimiter;
  readonly #requests: Rate | null;
  readonly #bytes: Rate | null;
  readonly #policy: string;
  readonly #refused = { requests: 0, bytes: 0 };

  constructor(limiter: RateLimiter, settings: RateLimitSettings) {
    this.#limiter = limiter;
    this.#requests = rateOf(settings.requestsPerSecond, settings.requestsBurst);
    this.#bytes = rateOf(settings.bytesPerSecond, settings.bytesBurst);
    this.#policy = [policyOf('requests', this.#requests, ''), policyOf('bytes', this.#bytes, ';qu="content-bytes"')]
      .filter(text => text !== '')
      .join(', ');
  }

  get isOff(): boolean {
    return this.#requests === null && this.#bytes === null;
  }

  get countsBytes(): boolean {
    return this.#bytes !== null;
  }

  stats(): { requests: number; bytes: number } {
    return { ...this.#refused };
  }

  /** Before the body of a request is read. Null: it is not limited. Throws, or rejects with, TW_RATE_LIMITED. */
  admit(request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
    const { url } = request.routeOptions;
    if (url !== undefined && UNLIMITED.has(url)) return;
    const asks = this.#asksOf(request, url);
    if (asks.length === 0) return;
    const verdict = this.#limiter.take(senderOf(request), asks);
    if (verdict instanceof Promise) return verdict.then(later => this.#settle(request, reply, asks, later));
    this.#settle(request, reply, asks, verdict);
    return;
  }

  /** Once the body was read: what it has beyond what was said of it. */
  count(request: FastifyRequest): void {
    const { body, countedBytes } = request;
    if (this.#bytes === null || countedBytes < 0 || !Buffer.isBuffer(body)) return;
    const amount = body.length - countedBytes;
    if (amount <= 0) return;
    request.countedBytes = body.length;
    void this.#limiter.charge(senderOf(request), [{ of: 'bytes', rate: this.#bytes, amount }]);
  }

  #asksOf(request: FastifyRequest, url: string | undefined): Ask[] {
    const asks: Ask[] = [];
    if (this.#requests !== null) asks.push({ of: 'requests', rate: this.#requests, amount: 1 });
    if (this.#bytes !== null && url !== undefined && scopesOf(request.method, url)?.includes('write')) {
      request.countedBytes = Number(request.headers['content-length'] ?? 0) || 0;
      asks.push({ of: 'bytes', rate: this.#bytes, amount: request.countedBytes });
    }
    return asks;
  }

  #settle(request: FastifyRequest, reply: FastifyReply, asks: readonly Ask[], verdict: Verdict): void {
    const { standings, refused, retryAfterMs } = verdict;
    reply.header('ratelimit-policy', this.#policy);
    const shown = standings.map(({ remaining, fullInMs }, n) => `"${asks[n].of}";r=${remaining};t=${Math.ceil(fullInMs / 1000)}`);
    reply.header('ratelimit', shown.join(', '));
    if (refused === null || retryAfterMs === null) return;
    const { of, rate } = asks[refused];
    this.#refused[of]++;
    const { identity } = request;
    const who = identity === null ? 'This address' : `The key "${identity.name}"`;
    const what = of === 'requests' ? 'requests' : 'bytes to write';
    throw new TailwaterError('TW_RATE_LIMITED', {
      detail: `${who} may send ${rate.perSecond} ${what} per second and ${rate.burst} at once (rateLimits.${of}PerSecond, rateLimits.${of}Burst).`,
      retryAfterMs,
      data: { limit: of, perSecond: rate.perSecond, burst: rate.burst },
    });
  }
}

/** After `addAuthorisation`: limits are those of whoever sent the request. */
export function addRateLimits(app: App, rates: RequestRates): void {
  if (rates.isOff) return;
  app.decorateRequest('countedBytes', -1);
  app.addHook('onRequest', (request, reply, done) => {
    try {
      const waiting = rates.admit(request, reply);
      if (waiting === undefined) done();
      else waiting.then(() => done(), done);
    } catch (error) {
      done(error as TailwaterError);
    }
  });
  if (!rates.countsBytes) return;
  app.addHook('preValidation', (request, _reply, done) => {
    rates.count(request);
    done();
  });
}

function rateOf(perSecond: number | null, burst: number | null): Rate | null {
  if (perSecond === null) return null;
  return { perSecond, burst: Math.max(1, burst ?? Math.ceil(2 * perSecond)) };
}

/** Of the header RateLimit-Policy: a quota, and the seconds in which all of it comes back. */
function policyOf(name: string, rate: Rate | null, unit: string): string {
  return rate === null ? '' : `"${name}";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)}${unit}`;
}

function senderOf({ identity, ip }: FastifyRequest): string {
  return identity === null ? `address:${ip}` : `key:${identity.id}`;
}
