import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** What becomes of an append: it passes, it never reaches the server, or its answer never reaches the client. */
export type Fate = 'pass' | 'lose-request' | 'lose-reply';

export interface AppendProxy extends AsyncDisposable {
  url: string;
}

/** An HTTP proxy before a server that asks about every append, while the client waits; `lost` is called before the client learns of a loss. */
export async function appendProxy(target: string, fateOf: () => Promise<Fate>, lost: () => void): Promise<AppendProxy> {
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await buffer(incoming);
    const isAppend = incoming.method === 'POST' && /\/records(\?|$)/.test(incoming.url!);
    const fate = isAppend ? await fateOf() : 'pass';
    const answer = fate === 'lose-request' ? null : await forward(target, incoming, body);
    if (fate === 'pass') {
      outgoing.writeHead(answer!.status, answer!.headers).end(answer!.body);
      return;
    }
    lost();
    outgoing.destroy();
  };
  const failures: unknown[] = [];
  const proxy = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(error => {
      failures.push(error);
      outgoing.destroy();
    });
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections();
      await new Promise<void>(resolve => proxy.close(() => resolve()));
      if (failures.length > 0) throw failures[0];
    },
  };
}

function forward(target: string, { method, url, headers }: IncomingMessage, body: Buffer) {
  return new Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }>((resolve, reject) => {
    const sent = request(target + url, { method, headers }, response => {
      buffer(response).then(text => resolve({ status: response.statusCode!, headers: response.headers, body: text }), reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
