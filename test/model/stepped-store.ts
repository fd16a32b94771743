import { TailwaterError } from '../../src/base/index.ts';
import type { ListedObject, ListOptions, ObjectStore, PutCondition, PutOutcome, StoredObject } from '../../src/storage/index.ts';
import type { Contents } from './interned.ts';
import type { Request } from './objects.ts';

/** A request that waits for its reply. */
export interface Waiting {
  request: Request;
  answer(reply: string): void;
}

/** The store as one process sees it: every call becomes a request, and is answered with the reply that the explorer chose. */
export class SteppedStore implements ObjectStore {
  readonly #contents: Contents;
  readonly #submit: (waiting: Waiting) => void;

  constructor(contents: Contents, submit: (waiting: Waiting) => void) {
    this.#contents = contents;
    this.#submit = submit;
  }

  put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome> {
    const content = this.#contents.id(bytes);
    return this.#ask({ kind: 'put', key, content, condition: condition ?? null }, reply => outcomeOf(reply, content));
  }

  get(key: string): Promise<StoredObject | null> {
    return this.#ask({ kind: 'get', key }, reply => {
      return reply === 'none' ? null : { bytes: this.#contents.bytes(Number(reply)), etag: reply };
    });
  }

  async head(key: string): Promise<{ size: number; etag: string } | null> {
    const object = await this.get(key);
    return object === null ? null : { size: object.bytes.length, etag: object.etag };
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListedObject[]> {
    const { startAfter = '', limit = Number.POSITIVE_INFINITY } = options;
    // Sizes are not told: the journal does not look at them.
    const listed = (key: string): ListedObject => ({ key, size: Number.NaN });
    return this.#ask({ kind: 'list', prefix, startAfter, limit }, reply => (reply === '' ? [] : reply.split(',').map(listed)));
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#ask({ kind: 'delete', keys }, () => {});
  }

  #ask<T>(request: Request, meaning: (reply: string) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = (reply: string): void => {
        if (reply !== 'error') resolve(meaning(reply));
        else reject(new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: `Injected: ${JSON.stringify(request)}` }));
      };
      this.#submit({ request, answer });
    });
  }
}

function outcomeOf(reply: string, content: number): PutOutcome {
  if (reply === 'unknown') return { kind: 'unknown', cause: new Error('The reply was lost.') };
  if (reply === 'ok') return { kind: 'ok', etag: String(content) };
  return { kind: reply === 'exists' ? 'exists' : 'mismatch' };
}
