import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server does with one request; the default embeds. */
export type Behaviour = (request: EmbeddingRequest, response: ServerResponse) => void;

export interface EmbeddingRequest {
  input: string[];
  model: string;
  dimensions: number;
  authorization: string | undefined;
}

/** A local service that speaks OpenAI's embeddings API; each request takes the next behaviour, then the usual one. */
export class EmbeddingServer {
  readonly requests: EmbeddingRequest[] = [];
  readonly behaviours: Behaviour[] = [];
  /** What is done when no behaviour is left. */
  usual: Behaviour = embeds;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(): Promise<EmbeddingServer> {
    const server = new EmbeddingServer();
    await new Promise<void>(resolve => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get baseURL(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const request = { ...body, authorization: message.headers.authorization };
    this.requests.push(request);
    (this.behaviours.shift() ?? this.usual)(request, response);
  }
}

/** The text's length and first letter, so that a test can tell vectors apart. */
export function expectedVector(text: string, dimensions: number): number[] {
  const raw = Array.from({ length: dimensions }, (_, at) => (at === 0 ? text.length : at === 1 ? text.charCodeAt(0) : 1));
  const length = Math.hypot(...raw);
  return raw.map(x => x / length);
}

export const embeds: Behaviour = ({ input, dimensions }, response) => {
  const data = input.map((text, index) => ({
    object: 'embedding',
    index,
    embedding: expectedVector(text, dimensions).map(x => x * 3),
  }));
  answer(response, 200, { object: 'list', data: data.reverse(), model: 'm', usage: { prompt_tokens: 1, total_tokens: 1 } });
};

export function refuses(status: number, headers: Record<string, string> = {}): Behaviour {
  return (_request, response) => answer(response, status, { error: { message: 'no', type: 'x' } }, headers);
}

/** Embeds, but refuses a request that has a text of more than `maxLength`, as a model with a limited context does. */
export function embedsUpTo(maxLength: number): Behaviour {
  return (request, response) =>
    (request.input.every(text => text.length <= maxLength) ? embeds : refuses(400))(request, response);
}

export function answers(data: { index: number; embedding: unknown[] }[]): Behaviour {
  return (_request, response) => answer(response, 200, { object: 'list', data, model: 'm' });
}

export const hangs: Behaviour = () => {};

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
