import type { IncomingMessage } from 'node:http';
import { type Random, randomId } from '../../base/index.ts';
import type { App } from './context.ts';

/** What logs may quote. */
const GIVEN = /^[\w.:/+=@-]{1,128}$/;

/** Names requests: as the client did by `X-Request-Id`, else by a number of this server. */
export function requestIds(random: Random): (request: IncomingMessage) => string {
  const server = randomId(random);
  let count = 0;
  return request => {
    const given = request.headers['x-request-id'];
    return typeof given === 'string' && GIVEN.test(given) ? given : `${server}-${++count}`;
  };
}

/** Every answer says which request it is to, so that a user can name the one that the log tells of. */
export function answerRequestIds(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
}
