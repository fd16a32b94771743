import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { asTailwaterError, TailwaterError } from '../../base/index.ts';
import type { Admission } from './admission.ts';

export interface BodyLimits {
  admission: Admission;
  /** Of the body as sent, and again of what it inflates to. */
  maxBodyBytes: number;
}

/** What a request holds of the admission's bytes; given back when its answer is out. */
export interface BodyHolder {
  heldBytes: number;
}

/**
 * Reads a body into one buffer: gzip is inflated, both sizes are bounded, and every byte is reserved before it is kept.
 * A body that is refused is still read to its end (up to one more limit's worth) and dropped, since a client that is still sending when
 * the connection closes often never sees the answer.
 */
export function readBody(message: IncomingMessage, holder: BodyHolder, limits: BodyLimits): Promise<Buffer> {
  const source = decoded(message);
  return new Promise((resolve, reject) => {
    const collector = new BodyCollector(holder, limits);
    const fail = (error: unknown): void => {
      collector.refuse(error);
      reject(collector.refusal);
    };
    source.on('data', (chunk: Buffer) => {
      if (!collector.add(chunk)) fail(collector.refusal);
    });
    source.on('end', () => {
      if (collector.refusal === null) resolve(collector.take());
      else reject(collector.refusal);
    });
    source.on('error', fail);
    if (source !== message) message.on('error', fail);
  });
}

function decoded(message: IncomingMessage): Readable {
  const encoding = message.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return message;
  if (encoding === 'gzip') return message.pipe(createGunzip());
  throw new TailwaterError('TW_UNSUPPORTED_MEDIA_TYPE', { detail: `Content-Encoding ${encoding} is not supported; gzip is.` });
}

class BodyCollector {
  refusal: TailwaterError | null = null;
  readonly #holder: BodyHolder;
  readonly #limits: BodyLimits;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(holder: BodyHolder, limits: BodyLimits) {
    this.#holder = holder;
    this.#limits = limits;
  }

  /** False once nothing more will be read. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    const { maxBodyBytes, admission } = this.#limits;
    if (this.refusal !== null) return this.#bytes <= 2 * maxBodyBytes;
    if (this.#bytes > maxBodyBytes) {
      this.refuse(new TailwaterError('TW_BODY_TOO_LARGE', { detail: `The body is larger than ${maxBodyBytes} bytes.` }));
      return true;
    }
    try {
      admission.reserve(chunk.length);
      this.#holder.heldBytes += chunk.length;
      this.#chunks.push(chunk);
    } catch (error) {
      this.refuse(error);
    }
    return true;
  }

  refuse(error: unknown): void {
    this.refusal ??= asRefusal(error);
    this.#chunks = [];
    this.#limits.admission.release(this.#holder.heldBytes);
    this.#holder.heldBytes = 0;
  }

  take(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#bytes);
  }
}

function asRefusal(error: unknown): TailwaterError {
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
    return new TailwaterError('TW_BAD_REQUEST', { detail: `The gzip body cannot be inflated: ${error.message}.`, cause: error });
  }
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') {
    return new TailwaterError('TW_BAD_REQUEST', { detail: 'The connection closed before the body ended.', cause: error });
  }
  return asTailwaterError(error);
}
