import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type ChatRequest, chatAnswer, chatChunks, ofChat } from './chat.ts';
import { ofResponses, type ResponsesRequest, responseAnswer, responseEvents } from './responses.ts';
import type { Decision, Script, Talk } from './script.ts';

export interface ModelServer {
  baseURL: string;
  close(): Promise<void>;
}

/** A model that needs no key: a script behind the Chat Completions and the Responses API, streamed or not. Any client of OpenAI's can talk to it. */
export async function serveModel(script: Script): Promise<ModelServer> {
  let answers = 0;
  const server = createServer(async (request, reply) => {
    try {
      const body = await json(request);
      const id = `${++answers}`;
      if (request.url === '/v1/chat/completions') answerChat(reply, body as ChatRequest, id, script);
      else if (request.url === '/v1/responses') answerResponses(reply, body as ResponsesRequest, id, script);
      else send(reply, 404, { error: { message: `There is no ${request.url} here.`, type: 'invalid_request_error' } });
    } catch (error) {
      send(reply, 400, { error: { message: String(error), type: 'invalid_request_error' } });
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () => {
      server.closeAllConnections();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}

function answerChat(reply: ServerResponse, body: ChatRequest, id: string, script: Script): void {
  const decision = decide(script, ofChat(body));
  if (body.stream !== true) send(reply, 200, chatAnswer(id, decision));
  else stream(reply, [...chatChunks(id, decision).map(chunk => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n']);
}

function answerResponses(reply: ServerResponse, body: ResponsesRequest, id: string, script: Script): void {
  const decision = decide(script, ofResponses(body));
  const written = responseEvents(id, decision).map(event => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  if (body.stream !== true) send(reply, 200, responseAnswer(id, decision));
  else stream(reply, written);
}

/** A model calls only what it was offered. */
function decide(script: Script, talk: Talk): Decision {
  const decision = script(talk);
  const stranger = decision.calls?.find(({ name }) => !talk.tools.includes(name));
  if (stranger !== undefined) throw new Error(`The script calls "${stranger.name}"; offered were ${talk.tools.join(', ')}.`);
  return decision;
}

function send(reply: ServerResponse, status: number, body: object): void {
  reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function stream(reply: ServerResponse, events: readonly string[]): void {
  reply.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) reply.write(event);
  reply.end();
}
