import { ProtocolError, ProtocolErrorCode, ResourceNotFoundError } from '@modelcontextprotocol/server';
import { isTailwaterError } from '../../base/index.ts';
import type { Watchable } from './changes.ts';
import { parseResourceUri } from './resource-uris.ts';

/** The resources that one client is told of: bounded, each once, ended together. */
export class Subscriptions {
  readonly #changes: Watchable;
  readonly #max: number;
  readonly #notify: (uri: string) => void;
  readonly #ends = new Map<string, () => void>();
  #closed = false;

  constructor(changes: Watchable, max: number, notify: (uri: string) => void) {
    this.#changes = changes;
    this.#max = max;
    this.#notify = notify;
  }

  /** Throws protocol errors: for what is no resource, and beyond the bound. */
  async add(uri: string): Promise<void> {
    if (this.#ends.has(uri)) return;
    const resource = parseResourceUri(uri);
    if (resource === null) throw new ResourceNotFoundError(uri.slice(0, 1000));
    if (this.#ends.size >= this.#max) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${this.#max} resources are subscribed to, the most allowed.`);
    }
    this.#ends.set(uri, () => {});
    try {
      const end = await this.#changes.watch(resource.stream, () => this.#notify(uri));
      if (this.#closed || !this.#ends.has(uri)) end();
      else this.#ends.set(uri, end);
    } catch (error) {
      this.#ends.delete(uri);
      throw isTailwaterError(error, 'TW_STREAM_NOT_FOUND') ? new ResourceNotFoundError(uri.slice(0, 1000)) : error;
    }
  }

  delete(uri: string): void {
    this.#ends.get(uri)?.();
    this.#ends.delete(uri);
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#ends.values()) end();
    this.#ends.clear();
  }
}
