import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { App } from './context.ts';

/** Connections on which nothing was asked yet, as clients open ahead: for Node they are not idle, so that a server that closes would wait for them. */
export class UnusedConnections {
  readonly #sockets = new Set<Socket>();

  constructor({ server }: App, tls: boolean) {
    server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', ({ socket }: IncomingMessage) => this.#sockets.delete(socket));
  }

  /** Those that have begun to ask are left to their answer. */
  destroy(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}
