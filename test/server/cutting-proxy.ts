import { createServer, connect as dial, type Socket } from 'node:net';

export interface CuttingProxy extends AsyncDisposable {
  url: string;
  /** How many connections were accepted. */
  accepted(): number;
  /** Breaks every open connection; new ones are accepted. */
  cut(): void;
}

/** A TCP proxy before a server, whose connections a test can break. */
export async function cuttingProxy(target: string): Promise<CuttingProxy> {
  const port = Number(new URL(target).port);
  const open = new Set<Socket>();
  let accepted = 0;
  const proxy = createServer(near => {
    accepted++;
    const far = dial(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => {});
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address() as { port: number };
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    accepted: () => accepted,
    cut,
    [Symbol.asyncDispose]: () => {
      cut();
      return new Promise<void>(resolve => proxy.close(() => resolve()));
    },
  };
}
