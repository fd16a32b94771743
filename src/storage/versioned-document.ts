import {
  fromUtf8,
  isJsonObject,
  type JsonValue,
  namingDamage,
  type Random,
  randomId,
  systemRandom,
  TailwaterError,
  utf8,
} from '../base/index.ts';
import type { ObjectStore, PutCondition } from './object-store.ts';

export interface DocumentCodec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** How many last writes a document names, so that a writer finds its own after others wrote over it. */
const REMEMBERED_WRITES = 16;
/** Losing this often in a row means far too many writers. */
const MAX_ATTEMPTS = 256;
/** Times one write is sent while its outcome stays unknown. */
const MAX_SENDS = 5;

interface Stored<T> {
  value: T;
  etag: string;
  /** Ids of the last writes, newest first. */
  writes: string[];
}

/**
 * One value under one key, changed by compare-and-swap: read, compute, replace if still the same, else again.
 *
 * A write of unknown outcome is settled by reading back (S2). The value alone would not tell (two writers may write equal values), so the
 * object begins with a line that names its last writes: `{"tailwaterDocument":1,"writes":["…"]}`, then the encoded value.
 */
export class VersionedDocument<T> {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #codec: DocumentCodec<T>;
  readonly #random: Random;

  /** `codec` defaults to JSON. */
  constructor(store: ObjectStore, key: string, codec: DocumentCodec<T> = jsonCodec(), random: Random = systemRandom) {
    this.#store = store;
    this.#key = key;
    this.#codec = codec;
    this.#random = random;
  }

  async read(): Promise<{ value: T; etag: string } | null> {
    const stored = await this.#load();
    return stored === null ? null : { value: stored.value, etag: stored.etag };
  }

  /**
   * Applies `change` exactly once to whatever the value then is, and returns the value that holds afterwards. `change` may be called again with a newer
   * value, so it must be pure; it answers null for no change. Throws TW_OUTCOME_UNKNOWN when it cannot be learned whether the change took
   * effect, and TW_BUSY when it loses against other writers again and again.
   */
  async update(change: (value: T | null) => T | null): Promise<T | null> {
    let base = await this.#load();
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const next = change(base?.value ?? null);
      if (next === null) return base?.value ?? null;
      const id = randomId(this.#random);
      const bytes = this.#encode(next, [id, ...(base?.writes ?? [])].slice(0, REMEMBERED_WRITES));
      const condition: PutCondition = base === null ? { ifAbsent: true } : { ifMatch: base.etag };
      const settled = await this.#attempt(bytes, condition, id, base);
      if (settled.applied) return next;
      base = settled.now;
    }
    throw new TailwaterError('TW_BUSY', {
      detail: `The document ${this.#key} was changed by others ${MAX_ATTEMPTS} times in a row.`,
    });
  }

  async #attempt(
    bytes: Uint8Array,
    condition: PutCondition,
    id: string,
    base: Stored<T> | null,
  ): Promise<{ applied: true } | { applied: false; now: Stored<T> | null }> {
    let inDoubt = false;
    for (let send = 1; send <= MAX_SENDS; send++) {
      const outcome = await this.#put(bytes, condition, inDoubt);
      if (outcome.kind === 'ok') return { applied: true };
      inDoubt ||= outcome.kind === 'unknown';
      if (!inDoubt) return { applied: false, now: await this.#load() };
      const now = await this.#settle(outcome.kind === 'unknown' ? outcome.cause : undefined);
      if (now?.writes.includes(id)) return { applied: true };
      // Nobody wrote since: the attempt may still be under way. The same bytes under the same condition take effect at most once.
      if (now?.etag === base?.etag) continue;
      if (wasPassedOver(now, base)) return { applied: false, now };
      break;
    }
    throw this.#unknown();
  }

  async #put(bytes: Uint8Array, condition: PutCondition, inDoubt: boolean): ReturnType<ObjectStore['put']> {
    try {
      return await this.#store.put(this.#key, bytes, condition);
    } catch (error) {
      if (inDoubt) throw this.#unknown(error);
      throw error;
    }
  }

  async #settle(cause: unknown): Promise<Stored<T> | null> {
    try {
      return await this.#load();
    } catch (error) {
      throw this.#unknown(cause ?? error);
    }
  }

  async #load(): Promise<Stored<T> | null> {
    const object = await this.#store.get(this.#key);
    if (object === null) return null;
    const lineEnd = object.bytes.indexOf(0x0a);
    const writes = lineEnd < 0 ? null : parseHeader(fromUtf8(object.bytes.subarray(0, lineEnd)));
    if (writes === null) {
      throw new TailwaterError('TW_DATA_DAMAGED', {
        detail: `The object ${this.#key} is not a document.`,
        data: { key: this.#key },
      });
    }
    const value = namingDamage(this.#key, () => this.#codec.decode(object.bytes.subarray(lineEnd + 1)));
    return { value, etag: object.etag, writes };
  }

  #encode(value: T, writes: readonly string[]): Uint8Array {
    return Buffer.concat([utf8(`${JSON.stringify({ tailwaterDocument: 1, writes })}\n`), this.#codec.encode(value)]);
  }

  #unknown(cause?: unknown): TailwaterError {
    return new TailwaterError('TW_OUTCOME_UNKNOWN', {
      detail: `It is not known whether the document ${this.#key} was changed.`,
      cause,
    });
  }
}

/** The writes made since `base` are all named, and so the one looked for, which is not among them, did not take effect. */
function wasPassedOver<T>(now: Stored<T> | null, base: Stored<T> | null): boolean {
  if (now === null) return false;
  return base === null ? now.writes.length < REMEMBERED_WRITES : now.writes.includes(base.writes[0]);
}

function parseHeader(line: string): string[] | null {
  try {
    const header: JsonValue = JSON.parse(line);
    if (!isJsonObject(header) || !Array.isArray(header.writes)) return null;
    if (header.tailwaterDocument !== 1) {
      throw new TailwaterError('TW_FORMAT_TOO_NEW', {
        detail: `A document has format version ${String(header.tailwaterDocument)}; this version reads 1.`,
      });
    }
    return header.writes.filter(id => typeof id === 'string');
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function jsonCodec<T>(): DocumentCodec<T> {
  return {
    encode: value => utf8(JSON.stringify(value)),
    decode: bytes => parseValue(fromUtf8(bytes)) as T,
  };
}

function parseValue(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: 'Its value is not JSON.', cause });
  }
}
