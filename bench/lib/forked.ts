import { fork } from 'node:child_process';

/** Hands the order to a process of its own that runs this module, and returns what it answers. */
export function forked<Order extends object, Result>(module: URL, order: Order): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(module);
    let result: Result | null = null;
    child.on('message', message => {
      result = message as Result;
    });
    child.once('exit', code => {
      if (result) resolve(result);
      else reject(new Error(`The load process ended with ${code}.`));
    });
    child.send(order);
  });
}

/** The other side: runs the one order this process is given. */
export function whenOrdered<Order, Result>(run: (order: Order) => Promise<Result>): void {
  process.once('message', async (order: Order) => {
    const result = await run(order);
    // A large result is still on its way when send returns.
    process.send?.(result, undefined, {}, () => process.disconnect());
  });
}
