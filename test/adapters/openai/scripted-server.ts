import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

type Body = Record<string, unknown> & { tools?: unknown[]; input?: unknown };

export interface ScriptedServer extends AsyncDisposable {
  baseURL: string;
  /** The bodies of the requests so far. */
  asked: Body[];
}

/** An OpenAI-compatible server whose model says what a script says: the output items of one answer after the other. */
export async function scriptedServer(script: readonly ((body: Body) => object[])[]): Promise<ScriptedServer> {
  const asked: Body[] = [];
  const server = createServer(async (request, reply) => {
    const body: Body = JSON.parse(await textOf(request));
    const output = script[asked.length](body);
    asked.push(body);
    const answer = { id: `r${asked.length}`, object: 'response', status: 'completed', model: 'scripted', output };
    reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve())),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
