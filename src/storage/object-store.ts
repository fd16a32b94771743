/**
 * The object-store port (design, section 3, S1-S5). What is deliberately not in it: renames, appends, directories, locks.
 *
 * - S1 `put` with `ifAbsent` is atomic and durable when it returns *ok*: of any number of racers exactly one wins.
 * - S2 an outcome that is not known (timeout, lost reply) is `unknown`, never an error and never a failure.
 * - S5 `get` verifies the object's crc32c and throws TW_DATA_DAMAGED when it does not match, or when it has none and is not said to be foreign.
 *
 * A key is a path of segments joined by `/`, at most 1,024 UTF-8 bytes; `keys.ts` says which are valid, and every store refuses the others with
 * TW_BAD_REQUEST before it does anything. No key may continue another (`a` and `a/b`): stores over folders may refuse the second.
 */
export type PutCondition = { ifAbsent: true } | { ifMatch: string };

export type PutOutcome =
  | { kind: 'ok'; etag: string }
  | { kind: 'exists' }
  | { kind: 'mismatch' }
  | { kind: 'unknown'; cause: unknown };

/** Bytes [start, end) of the object's content. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface StoredObject {
  bytes: Uint8Array;
  etag: string;
}

/**
 * What to read of an object: all, a range, or all of a `foreign` one, which something else than this port wrote and which may lack a crc32c. It is
 * read in the version that `head` named and in no other, so that a reader sees one content; a crc32c that it has is verified.
 */
export type GetOptions = { range?: ByteRange; foreign?: never } | { foreign: { etag: string }; range?: never };

export interface ObjectFacts {
  size: number;
  etag: string;
  /** When it was put, by the store's clock; absent where a store keeps no times. */
  modifiedAtMs?: number;
}

export interface ListedObject {
  key: string;
  size: number;
}

export interface ListOptions {
  /** Only keys greater than this one, in UTF-8 byte order. */
  startAfter?: string;
  /** At most this many; default and maximum 1000. */
  limit?: number;
}

export interface ObjectStore {
  /** Unconditional without a condition. Throws TW_STORAGE_FULL or TW_STORAGE_UNAVAILABLE only when the object was certainly not written. */
  put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome>;
  /**
   * Null when there is no such object, or of a foreign one not this version. A range is clipped to the object's size; a ranged read need not verify
   * the checksum of the whole.
   */
  get(key: string, options?: GetOptions): Promise<StoredObject | null>;
  head(key: string): Promise<ObjectFacts | null>;
  /** One page, sorted by key in UTF-8 byte order; shorter than the limit only when nothing follows it. */
  list(prefix: string, options?: ListOptions): Promise<ListedObject[]>;
  /** Idempotent: absent keys are not an error. */
  delete(keys: readonly string[]): Promise<void>;
}
