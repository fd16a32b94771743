import type { FastifyReply, FastifyRequest } from 'fastify';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Admission } from './admission.ts';
import type { Followers } from './followers.ts';
import type { RequestRates } from './rate-limits.ts';

interface RouteMeter {
  requests: { inc(): void };
  seconds: { observe(seconds: number): void };
}

/** What the HTTP face counts; scraped together with the engine's own metrics. */
export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #meters = new Map<string, RouteMeter>();
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #seconds: Histogram<'method' | 'route'>;

  constructor(admission: Admission, followers: Followers, rates: RequestRates) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: 'tailwater_http_requests_total',
      help: 'Requests answered, by status class.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'tailwater_http_request_seconds',
      help: 'Time from the first byte of a request to the end of its answer.',
      labelNames: ['method', 'route'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#gauge('tailwater_http_in_flight', 'Requests under way.', () => admission.stats().requests);
    this.#gauge('tailwater_http_body_bytes', 'Bytes of request bodies held.', () => admission.stats().bodyBytes);
    this.#gauge('tailwater_http_refused', 'Requests turned away because of too many.', () => admission.stats().refused);
    this.#gauge(
      'tailwater_http_rate_limited_requests',
      'Requests refused because of too many a second.',
      () => rates.stats().requests,
    );
    this.#gauge(
      'tailwater_http_rate_limited_writes',
      'Requests refused because of too many bytes a second.',
      () => rates.stats().bytes,
    );
    this.#gauge('tailwater_http_followers', 'Live follows.', () => followers.stats().followers);
    this.#gauge(
      'tailwater_http_followers_stalled',
      'Live follows ended because their reader stopped reading.',
      () => followers.stats().stalled,
    );
  }

  observe(request: FastifyRequest, reply: FastifyReply): void {
    const route = request.routeOptions.url ?? 'none';
    const meter = this.#meter(request.method, route, reply.statusCode);
    meter.requests.inc();
    meter.seconds.observe(reply.elapsedTime / 1000);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Label lookups are cached: they are the expensive part of counting. The number of routes bounds the cache. */
  #meter(method: string, route: string, statusCode: number): RouteMeter {
    const status = `${Math.floor(statusCode / 100)}xx`;
    const name = `${method} ${route} ${status}`;
    let meter = this.#meters.get(name);
    if (meter === undefined) {
      meter = { requests: this.#requests.labels({ method, route, status }), seconds: this.#seconds.labels({ method, route }) };
      this.#meters.set(name, meter);
    }
    return meter;
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }
}
