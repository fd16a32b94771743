import {
  type Clock,
  ERROR_KINDS,
  type ErrorCode,
  isJsonObject,
  type Random,
  systemClock,
  systemRandom,
  TailwaterError,
} from './base/index.ts';

export interface TailwaterClientOptions {
  /** Of the server, such as http://127.0.0.1:8787. */
  url: string;
  /** Of a server that asks for one. */
  apiKey?: string;
  /** Default: the global fetch. */
  fetch?: typeof fetch;
  /** Of one attempt; default 30,000. Compactions are given ten times as long. */
  timeoutMs?: number;
  /** How often a request is sent at most, when sending it again is safe; default 5. */
  maxAttempts?: number;
  /** Reads include everything this client wrote or saw before, stream by stream; default true. */
  readYourWrites?: boolean;
  /** How answers are read; default JSON.parse, which rounds numbers beyond 2^53. */
  parse?: (text: string) => unknown;
  clock?: Clock;
  random?: Random;
}

export interface HttpRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** Whether a second sending does no harm when it is not known what became of the first. */
  repeatable: boolean;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Questions that are too long for a URL. */
const READS = /\/query(\/live)?$|^\/v1\/sql$/;
/** Nothing was done: sending again is safe whatever the request was. */
const REFUSED: readonly string[] = ['TW_BUSY', 'TW_RATE_LIMITED', 'TW_TAIL_FULL', 'TW_CLOSED', 'TW_NOT_READY'];
const PASSING: readonly string[] = ['TW_OUTCOME_UNKNOWN', 'TW_STORAGE_UNAVAILABLE', 'TW_UNREACHABLE', 'TW_COMPACTION_FAILED'];
const BASE_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
/** A server that asks for more patience than this is left to the caller. */
const MAX_WAIT_MS = 30_000;

/** Sends requests: problem documents become TailwaterErrors, and what is safe to repeat is repeated a bounded number of times. */
export class ClientTransport {
  readonly #url: string;
  readonly #authorization: Record<string, string>;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;
  readonly #maxAttempts: number;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(options: TailwaterClientOptions) {
    this.#url = options.url.replace(/\/+$/, '');
    this.#authorization = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
    this.#fetch = options.fetch ?? fetch;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#maxAttempts = options.maxAttempts ?? 5;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** The answer's text. Rejects with the last attempt's error. */
  async send(request: HttpRequest): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(request);
      } catch (error) {
        const problem = error as TailwaterError;
        const again = REFUSED.includes(problem.code) || (request.repeatable && PASSING.includes(problem.code));
        if (!again || attempt >= this.#maxAttempts || (problem.retryAfterMs ?? 0) > MAX_WAIT_MS) throw problem;
        await this.pause(attempt, problem.retryAfterMs);
      }
    }
  }

  /** The open response of a stream of events; it ends when the signal aborts. */
  async open(request: HttpRequest, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    return (await this.response(request, signal)).body!;
  }

  /** An answer whose body is read as it comes. */
  async response(request: HttpRequest, signal: AbortSignal): Promise<Response> {
    const response = await this.#fetched(request, signal);
    if (!response.ok) throw problemOf(response.status, response.headers, await response.text());
    return response;
  }

  /** Waits as the server asked, else longer with every attempt, with jitter. */
  async pause(attempt: number, retryAfterMs: number | undefined, signal?: AbortSignal): Promise<void> {
    const backoffMs = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (attempt - 1)) * (0.5 + this.#random.float() / 2);
    await this.#clock.sleep(retryAfterMs ?? backoffMs, signal);
  }

  async #attempt(request: HttpRequest): Promise<string> {
    const late = new AbortController();
    const timeoutMs = request.timeoutMs ?? this.#timeoutMs;
    const timer = this.#clock.after(timeoutMs, () =>
      late.abort(new TailwaterError('TW_DEADLINE', { detail: `No answer within ${timeoutMs} ms.` })),
    );
    try {
      const response = await this.#fetched(request, late.signal);
      const text = await response.text();
      if (!response.ok) throw problemOf(response.status, response.headers, text);
      return text;
    } catch (error) {
      if (error instanceof TailwaterError) throw error;
      throw unreachable(this.#url, request, error);
    } finally {
      timer.cancel();
    }
  }

  async #fetched(request: HttpRequest, signal: AbortSignal): Promise<Response> {
    const { method, path, headers = {}, body } = request;
    try {
      return await this.#fetch(this.#url + path, {
        method,
        headers: { ...this.#authorization, ...headers },
        signal,
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      throw error instanceof TailwaterError ? error : unreachable(this.#url, request, error);
    }
  }
}

/** A connection that failed: when it was never made, nothing was done; else only who may repeat the request can find out. */
function unreachable(url: string, request: HttpRequest, error: unknown): TailwaterError {
  const reason = causeOf(error);
  const unsent = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].some(code => reason.includes(code));
  const read = request.method === 'GET' || READS.test(request.path);
  const code: ErrorCode = unsent || read ? 'TW_UNREACHABLE' : 'TW_OUTCOME_UNKNOWN';
  return new TailwaterError(code, {
    detail: `The server at ${url} did not answer ${request.method} ${request.path}: ${reason}.`,
    cause: error,
  });
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return 'code' in error.cause ? String(error.cause.code) : error.cause.message;
  return error.message;
}

function problemOf(status: number, headers: Headers, text: string): TailwaterError {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const problem = parsedOrNull(text);
  const retryAfterMs = isJsonObject(problem) && typeof problem.retryAfterMs === 'number' ? problem.retryAfterMs : seconds * 1000;
  const wait = Number.isNaN(retryAfterMs) ? {} : { retryAfterMs };
  if (!isJsonObject(problem) || typeof problem.code !== 'string' || !(problem.code in ERROR_KINDS)) {
    const code: ErrorCode = status >= 500 ? 'TW_UNREACHABLE' : 'TW_BAD_REQUEST';
    return new TailwaterError(code, {
      detail: `The server answered ${status}, which is not an answer of Tailwater: ${text.slice(0, 200)}`,
      ...wait,
    });
  }
  const data = isJsonObject(problem.data) ? { data: problem.data } : {};
  return new TailwaterError(problem.code as ErrorCode, { detail: String(problem.detail), ...wait, ...data });
}

/** The error a `problem` event carries. */
export function problemOfEvent(data: string): TailwaterError {
  return problemOf(500, new Headers(), data);
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
