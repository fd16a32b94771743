import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { arrayBuffer } from 'node:stream/consumers';
import { crc32c } from '../../src/base/index.ts';

interface Held {
  bytes: Buffer;
  etag: string;
  headers: Record<string, string>;
}

/** What happens to the next request of a method, once. `lose-*`: the connection breaks without a reply, after or before the effect. */
type Fault = { kind: 'lose-after' | 'lose-before' } | { kind: 'silence' } | { kind: 'status'; status: number; code: string };

export interface S3DoubleOptions {
  /** As look-alikes that know no conditional writes do. */
  ignoreConditions?: boolean;
  /** As look-alikes that look first and write later do: every writer decides on what it saw, then all write. */
  decideEarly?: boolean;
  /** Gives back no `x-amz-checksum-*`, only metadata, as simple look-alikes do. */
  forgetChecksums?: boolean;
  /** Keys in a listing's page at most, below what was asked for. */
  pageKeys?: number;
  /** Called with each request before it is answered. */
  onRequest?(method: string): void;
}

export const DOUBLE_SECRET = 'double-secret-key';

/** An S3 server in this process: path style, one bucket, as much of the REST API as an object store needs, written from Amazon's API reference. */
export class S3Double {
  readonly requests: { method: string; url: string; headers: IncomingHttpHeaders }[] = [];
  readonly #objects = new Map<string, Held>();
  readonly #faults = new Map<string, Fault[]>();
  readonly #options: S3DoubleOptions;
  readonly #server: Server;
  readonly #undecided: (() => void)[] = [];
  #writes = 0;

  static async start(options: S3DoubleOptions = {}): Promise<S3Double> {
    const double = new S3Double(options);
    await new Promise<void>(resolve => double.#server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  private constructor(options: S3DoubleOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get settings() {
    const credentials = { accessKeyId: 'double-key-id', secretAccessKey: DOUBLE_SECRET };
    return { endpoint: this.endpoint, region: 'us-east-1', bucket: 'bucket', credentials, timeoutMs: 5_000 };
  }

  faultNext(method: string, ...faults: Fault[]): void {
    this.#faults.set(method, [...(this.#faults.get(method) ?? []), ...faults]);
  }

  damage(key: string): void {
    this.#objects.get(key)!.bytes[0] ^= 1;
  }

  /** Puts an object as a foreign tool would: without a crc32c. */
  putForeign(key: string, bytes: Uint8Array): void {
    this.#objects.set(key, { bytes: Buffer.from(bytes), etag: this.#nextEtag(), headers: {} });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.from(await arrayBuffer(request));
    const url = new URL(request.url ?? '/', this.endpoint);
    const method = request.method ?? '';
    this.requests.push({ method, url: url.pathname + url.search, headers: request.headers });
    this.#options.onRequest?.(method);
    const fault = this.#faults.get(method)?.shift();
    if (fault?.kind === 'silence') return;
    if (fault?.kind === 'lose-before') return void request.socket.destroy();
    if (fault?.kind === 'status') return reply(response, fault.status, problem(fault.code));
    const answer = await this.#answer(method, url, request, body);
    if (fault?.kind === 'lose-after') return void request.socket.destroy();
    answer(response);
  }

  async #answer(method: string, url: URL, request: IncomingMessage, body: Buffer): Promise<(response: ServerResponse) => void> {
    const [, bucket, ...rest] = url.pathname.split('/');
    const key = decodeURIComponent(rest.join('/'));
    if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 ')) return refuse(403, 'AccessDenied');
    if (bucket !== 'bucket') return refuse(404, 'NoSuchBucket');
    if (method === 'PUT') return this.#put(key, request, body);
    if (method === 'POST') return this.#deleteMany(body.toString());
    if (method === 'GET' && key === '') return this.#list(url.searchParams);
    return this.#get(key, request);
  }

  async #put(key: string, request: IncomingMessage, body: Buffer): Promise<(response: ServerResponse) => void> {
    const sent = request.headers['x-amz-checksum-crc32c'];
    if (sent !== checksumOf(body)) return refuse(400, 'BadDigest');
    const refusal = this.#options.ignoreConditions === true ? null : this.#refusal(key, request);
    if (this.#options.decideEarly === true && refusal === null) await this.#letOthersDecide();
    if (refusal !== null) return refusal;
    const etag = this.#nextEtag();
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) {
      if (name.startsWith('x-amz-meta-')) headers[name] = String(value);
    }
    if (this.#options.forgetChecksums !== true) headers['x-amz-checksum-crc32c'] = sent;
    this.#objects.set(key, { bytes: body, etag, headers });
    return response => reply(response, 200, '', { etag });
  }

  #nextEtag(): string {
    return `"${(++this.#writes).toString(16).padStart(32, '0')}"`;
  }

  #refusal(key: string, request: IncomingMessage): ((response: ServerResponse) => void) | null {
    const held = this.#objects.get(key);
    const match = request.headers['if-match'];
    if (request.headers['if-none-match'] === '*' && held !== undefined) return refuse(412, 'PreconditionFailed');
    if (match === undefined || match === held?.etag) return null;
    return held === undefined ? refuse(404, 'NoSuchKey') : refuse(412, 'PreconditionFailed');
  }

  /** Holds a writer that has decided until every request that has arrived has decided too. */
  async #letOthersDecide(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#undecided.push(resolve);
      if (this.#undecided.length > 1) return;
      const releaseWhenQuiet = (quietTurns: number, before: number): void => {
        const now = this.requests.length;
        if (now === before && quietTurns === 0) for (const release of this.#undecided.splice(0)) release();
        else setImmediate(releaseWhenQuiet, now === before ? quietTurns - 1 : 200, now);
      };
      releaseWhenQuiet(200, this.requests.length);
    });
  }

  #get(key: string, request: IncomingMessage): (response: ServerResponse) => void {
    const held = this.#objects.get(key);
    if (held === undefined) return refuse(404, 'NoSuchKey');
    const refusal = this.#options.ignoreConditions === true ? null : this.#refusal(key, request);
    if (refusal !== null) return refusal;
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const { 'x-amz-checksum-crc32c': checksum, ...plain } = held.headers;
    if (range === null) {
      const full = checksum !== undefined && request.headers['x-amz-checksum-mode'] === 'ENABLED' ? held.headers : plain;
      return response => reply(response, 200, held.bytes, { etag: held.etag, ...full });
    }
    if (Number(range[1]) >= held.bytes.length) return refuse(416, 'InvalidRange');
    const part = held.bytes.subarray(Number(range[1]), Number(range[2]) + 1);
    const range206 = `bytes ${range[1]}-${Number(range[1]) + part.length - 1}/${held.bytes.length}`;
    return response => reply(response, 206, part, { etag: held.etag, 'content-range': range206, ...plain });
  }

  #list(query: URLSearchParams): (response: ServerResponse) => void {
    const after = Buffer.from(query.get('start-after') ?? '');
    const limit = Math.min(Number(query.get('max-keys') ?? 1000), this.#options.pageKeys ?? 1000);
    const keys = [...this.#objects.keys()]
      .filter(key => key.startsWith(query.get('prefix') ?? '') && Buffer.compare(Buffer.from(key), after) > 0)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const contents = keys.slice(0, limit).map(key => {
      const encoded = new URLSearchParams({ key }).toString().slice('key='.length).replaceAll('%2F', '/');
      return `<Contents><Key>${encoded}</Key><Size>${this.#objects.get(key)!.bytes.length}</Size></Contents>`;
    });
    const facts = `<IsTruncated>${keys.length > limit}</IsTruncated><EncodingType>url</EncodingType>`;
    return response => reply(response, 200, `<ListBucketResult>${facts}${contents.join('')}</ListBucketResult>`);
  }

  #deleteMany(body: string): (response: ServerResponse) => void {
    for (const [, key] of body.matchAll(/<Key>([^<]*)<\/Key>/g)) this.#objects.delete(unescapeXml(key));
    return response => reply(response, 200, '<DeleteResult></DeleteResult>');
  }
}

function checksumOf(bytes: Buffer): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(bytes));
  return checksum.toString('base64');
}

function refuse(status: number, code: string): (response: ServerResponse) => void {
  return response => reply(response, status, response.req.method === 'HEAD' ? '' : problem(code));
}

function problem(code: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message><RequestId>R1</RequestId></Error>`;
}

function reply(response: ServerResponse, status: number, body: string | Buffer, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), 'x-amz-request-id': 'R1', ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (_, hex, decimal, name) => {
    if (name !== undefined) return named[name];
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
