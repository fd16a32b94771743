import { crc32c, TailwaterError } from '../../base/index.ts';
import { checkKey, checkPrefix, checkRange, compareKeys, isOther, pageLimit } from '../keys.ts';
import type {
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectStore,
  PutCondition,
  PutOutcome,
  StoredObject,
} from '../object-store.ts';

interface Held {
  bytes: Uint8Array;
  etag: string;
  /** Null: none, as of what others wrote. */
  checksum: number | null;
}

/** The reference implementation: what the other stores must agree with, and a fast store for tests. Nothing outlives the object. */
export class MemoryObjectStore implements ObjectStore {
  readonly #objects = new Map<string, Held>();
  #writes = 0;
  #sortedKeys: string[] | null = null;

  async put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome> {
    checkKey(key);
    const current = this.#objects.get(key);
    if (condition !== undefined && 'ifAbsent' in condition && current !== undefined) return { kind: 'exists' };
    if (condition !== undefined && 'ifMatch' in condition && current?.etag !== condition.ifMatch) return { kind: 'mismatch' };
    const etag = `m${++this.#writes}`;
    if (current === undefined) this.#sortedKeys = null;
    this.#objects.set(key, { bytes: new Uint8Array(bytes), etag, checksum: crc32c(bytes) });
    return { kind: 'ok', etag };
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | null> {
    checkKey(key);
    if (options?.range !== undefined) checkRange(options.range);
    const held = this.#objects.get(key);
    if (held === undefined || isOther(options, held.etag)) return null;
    if (options?.range !== undefined) {
      return { bytes: held.bytes.slice(options.range.start, options.range.end), etag: held.etag };
    }
    const isUnchecked = held.checksum === null && options?.foreign !== undefined;
    if (!isUnchecked && crc32c(held.bytes) !== held.checksum) {
      throw new TailwaterError('TW_DATA_DAMAGED', { detail: `The object ${key} fails its checksum.`, data: { key } });
    }
    return { bytes: held.bytes.slice(), etag: held.etag };
  }

  async head(key: string): Promise<{ size: number; etag: string } | null> {
    checkKey(key);
    const held = this.#objects.get(key);
    return held === undefined ? null : { size: held.bytes.length, etag: held.etag };
  }

  async list(prefix: string, options?: ListOptions): Promise<ListedObject[]> {
    checkPrefix(prefix);
    this.#sortedKeys ??= [...this.#objects.keys()].sort(compareKeys);
    const after = options?.startAfter;
    const limit = pageLimit(options);
    const page: ListedObject[] = [];
    for (const key of this.#sortedKeys) {
      if (page.length === limit) break;
      if (!key.startsWith(prefix) || (after !== undefined && compareKeys(key, after) <= 0)) continue;
      page.push({ key, size: this.#objects.get(key)!.bytes.length });
    }
    return page;
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key);
    for (const key of keys) {
      if (this.#objects.delete(key)) this.#sortedKeys = null;
    }
  }

  /** For tests: an object as something else than this port writes it, without a checksum. */
  putForeign(key: string, bytes: Uint8Array): void {
    checkKey(key);
    this.#sortedKeys = null;
    this.#objects.set(key, { bytes: new Uint8Array(bytes), etag: `m${++this.#writes}`, checksum: null });
  }

  /** For tests: flips one bit of the stored content without touching its checksum. The object must exist and not be empty. */
  damage(key: string): void {
    this.#objects.get(key)!.bytes[0] ^= 1;
  }
}
