import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ProxyCounts } from './s3-proxy.ts';

const COMPONENTS = ['log', 'catalog', 'tables', 'iceberg', 'lance', 'vectors', 'pins', 'leases', 'features'];
const target = new URL(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
let counts = empty();

const server = createServer((incoming, outgoing) => {
  const name = nameOf(incoming);
  counts.requests[name] = (counts.requests[name] ?? 0) + 1;
  incoming.on('data', (chunk: Buffer) => {
    if (incoming.method === 'PUT') counts.bytesWritten += chunk.length;
  });
  const onward = request({
    host: target.hostname,
    port: target.port,
    method: incoming.method,
    path: incoming.url,
    // As they came: the signature covers them.
    headers: incoming.rawHeaders,
    agent,
  });
  onward.on('response', answer => {
    outgoing.writeHead(answer.statusCode!, answer.rawHeaders);
    answer.on('data', (chunk: Buffer) => {
      counts.bytesRead += chunk.length;
    });
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
});

server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('message', () => {
  process.send!(counts);
  counts = empty();
});
process.on('disconnect', () => process.exit(0));

function empty(): ProxyCounts {
  return { requests: {}, bytesWritten: 0, bytesRead: 0 };
}

function nameOf({ method, url }: IncomingMessage): string {
  const { pathname, searchParams } = new URL(url!, target);
  const isList = method === 'GET' && searchParams.has('list-type');
  const path = isList ? (searchParams.get('prefix') ?? '') : pathname;
  const component = path.split('/').find(part => COMPONENTS.includes(part)) ?? 'other';
  const isDelete = method === 'DELETE' || (method === 'POST' && searchParams.has('delete'));
  return `${isList ? 'list' : isDelete ? 'delete' : method!.toLowerCase()} ${component}`;
}
