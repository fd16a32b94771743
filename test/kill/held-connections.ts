import { connect, createServer, type Socket } from 'node:net';

/**
 * A server that passes bytes on, until it is told to hold them: then requests are taken and never answered, and reach the target once it lets go, long
 * after whoever sent them has given up.
 */
export class HeldConnections {
  readonly #sockets = new Set<Socket>();
  readonly #server;
  #held = false;

  constructor(targetPort: number) {
    this.#server = createServer(client => {
      const target = connect(targetPort, '127.0.0.1');
      for (const socket of [client, target]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => this.#sockets.delete(socket));
      }
      // What a client sent before it gave up still arrives.
      client.on('data', chunk => target.write(chunk));
      client.on('end', () => target.end());
      target.on('data', chunk => client.destroyed || client.write(chunk));
      target.on('close', () => client.destroy());
      if (this.#held) client.pause();
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  hold(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.pause();
  }

  letGo(): void {
    this.#held = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
