import type { HttpRequest } from './client-transport.ts';
import type { ContextAnswer, ContextCall, ContextDefinition, ContextInfo, ContextRequest } from './context/index.ts';
import type { ContextsApi } from './server/index.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };
const DEADLINE_MARGIN_MS = 5000;

interface Sender {
  json<T>(request: HttpRequest): Promise<T>;
  text(request: HttpRequest): Promise<string>;
  /** How long an answer may take, in milliseconds. */
  timeoutMs: number;
}

/** Contexts of a server, over HTTP. */
export class ClientContexts implements ContextsApi {
  readonly #sender: Sender;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  ask(request: ContextRequest): Promise<ContextAnswer> {
    return this.#post('/v1/context', request, request.deadlineMs);
  }

  apply(name: string, definition: ContextDefinition | unknown): Promise<ContextInfo> {
    const body = JSON.stringify(definition);
    return this.#sender.json({ method: 'PUT', path: contextPath(name), headers: JSON_HEADERS, body, repeatable: true });
  }

  get(name: string): Promise<ContextInfo> {
    return this.#sender.json({ method: 'GET', path: contextPath(name), repeatable: true });
  }

  async list(): Promise<ContextInfo[]> {
    const sent = { method: 'GET', path: '/v1/contexts', repeatable: true };
    return (await this.#sender.json<{ contexts: ContextInfo[] }>(sent)).contexts;
  }

  async remove(name: string): Promise<void> {
    await this.#sender.text({ method: 'DELETE', path: contextPath(name), repeatable: false });
  }

  call(name: string, call: ContextCall = {}): Promise<ContextAnswer> {
    return this.#post(contextPath(name), call, call.deadlineMs);
  }

  #post(path: string, content: object, deadlineMs = 0): Promise<ContextAnswer> {
    const timeoutMs = Math.max(this.#sender.timeoutMs, deadlineMs + DEADLINE_MARGIN_MS);
    const body = JSON.stringify(content);
    return this.#sender.json({ method: 'POST', path, headers: JSON_HEADERS, body, repeatable: true, timeoutMs });
  }
}

function contextPath(name: string): string {
  return `/v1/contexts/${encodeURIComponent(name.toWellFormed())}`;
}
