import { request as httpRequest } from 'node:http';
import { type Problem, silentLogger } from '../../src/base/index.ts';
import type { EngineLike } from '../../src/server/engine-types.ts';
import { type HttpServer, type HttpServerOptions, serve } from '../../src/server/http/server.ts';

export interface TestServer extends AsyncDisposable {
  url: string;
  server: HttpServer;
  /** fetch relative to the server. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** A server on a free port of this machine; closed at the end of the scope. */
export async function startServer(engine: EngineLike, options: HttpServerOptions = {}): Promise<TestServer> {
  const server = await serve(engine, { port: 0, logger: silentLogger, ...options });
  return {
    url: server.url,
    server,
    fetch: (path, init) => fetch(server.url + path, init),
    post: (path, body, headers = {}) => {
      const raw = typeof body === 'string' || body instanceof Uint8Array;
      const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } };
      return fetch(server.url + path, { ...init, body: raw ? body : JSON.stringify(body) });
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** The problem document of a failed answer, after checking what every problem document has. */
export async function problemOf(response: Response): Promise<Problem> {
  const type = response.headers.get('content-type') ?? '';
  const text = await response.text();
  if (!type.startsWith('application/problem+json')) throw new Error(`${response.status} with ${type}: ${text}`);
  const problem: Problem = JSON.parse(text);
  if (problem.status !== response.status) throw new Error(`status ${problem.status} in an answer of status ${response.status}`);
  if (problem.type !== `urn:tailwater:problem:${problem.code}` || !problem.title || !problem.detail || !problem.action) {
    throw new Error(`incomplete problem: ${text}`);
  }
  return problem;
}

/** A GET whose path is sent as written: fetch would normalise it. */
export function rawGet(url: string, path: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path }, response => {
      const chunks: Buffer[] = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject);
    request.end();
  });
}
