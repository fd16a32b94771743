import type { Readable, Writable } from 'node:stream';
import { type JSONRPCMessage, ProtocolError } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { asTailwaterError, type Clock, isJsonObject } from '../../base/index.ts';
import type { ToolApi } from '../../tools/index.ts';
import { idOf } from './json-rpc.ts';
import { Listening, listenedResources } from './listening.ts';
import { createProtocolServer, protocolError } from './protocol-server.ts';
import { createMcpService } from './service.ts';
import type { McpSettings } from './settings.ts';

export interface StdioOptions extends Partial<McpSettings> {
  stdin: Readable;
  stdout: Writable;
  clock: Clock;
}

/** MCP over a pipe, one message a line, both revisions. `closed` resolves when the client has left, or after close(). */
export function serveMcpStdio(
  api: ToolApi,
  { stdin, stdout, clock, ...given }: StdioOptions,
): { closed: Promise<void>; close(): Promise<void> } {
  const { changes, settings } = createMcpService(() => api, clock, given, true);
  const server = { current: null as ReturnType<typeof createProtocolServer> | null };
  const transport = new StdioServerTransport(stdin, stdout);
  const handle = serveStdio(
    () => {
      server.current = createProtocolServer(api, changes!, settings);
      return server.current;
    },
    { transport },
  );
  const listening = new Listening(changes!, settings.maxSubscriptions, uri => {
    server.current?.sendResourceUpdated({ uri }).catch(() => {});
  });
  watchListens(transport, listening);
  const closed = new Promise<void>(resolve => {
    const before = transport.onclose;
    transport.onclose = () => {
      before?.();
      changes!.close();
      resolve();
    };
  });
  return { closed, close: () => handle.close() };
}

/** The SDK serves listening requests itself and hands on what the server announces; this is where the server learns what to announce. */
function watchListens(transport: StdioServerTransport, listening: Listening): void {
  const deliver = transport.onmessage!;
  const ends = new Map<string | number, () => void>();
  const start = async (message: JSONRPCMessage, uris: string[]): Promise<void> => {
    const id = idOf(message)!;
    try {
      const end = await listening.listen(uris);
      ends.get(id)?.();
      ends.set(id, end);
      deliver(message);
    } catch (error) {
      const { code, message: text, data } = error instanceof ProtocolError ? error : protocolError(asTailwaterError(error));
      await transport.send({ jsonrpc: '2.0', id, error: { code, message: text, data } });
    }
  };
  transport.onmessage = message => {
    const uris = listenedResources(message);
    if (uris !== null && uris.length > 0 && idOf(message) !== null) {
      start(message, uris).catch(() => {});
      return;
    }
    const cancelled = cancelledId(message);
    if (cancelled !== null) {
      ends.get(cancelled)?.();
      ends.delete(cancelled);
    }
    deliver(message);
  };
}

function cancelledId(message: unknown): string | number | null {
  if (!isJsonObject(message) || message.method !== 'notifications/cancelled' || !isJsonObject(message.params)) return null;
  return idOf({ id: message.params.requestId });
}
