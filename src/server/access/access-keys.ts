import { type Clock, type Random, TailwaterError } from '../../base/index.ts';
import { type ObjectStore, VersionedDocument } from '../../storage/index.ts';
import {
  type AccessKeyInfo,
  type AccessKeyInput,
  hashOfKey,
  idOfKey,
  isKeyOf,
  makeKey,
  type NewAccessKey,
  SCOPES,
} from './access-key.ts';

const MAX_KEYS = 1000;
const MAX_PREFIXES = 100;
const MAX_NAME_CHARS = 200;
/** What other nodes changed is seen after this time; at once, when a key is not known. */
const FRESH_MS = 5_000;
/** Keys that nobody knows make nobody read the store more often than this. */
const LOOK_AGAIN_MS = 500;

interface StoredKey {
  id: string;
  name: string;
  hash: string;
  scopes: AccessKeyInfo['scopes'];
  streams: string[] | null;
  createdAtMs: number;
  expiresAtMs: number | null;
}

interface Stored {
  formatVersion: 1;
  keys: StoredKey[];
}

/** The keys of a deployment, as hashes: one document of the object store, changed by compare-and-swap, so that every node has the same. */
export class AccessKeys {
  readonly #document: VersionedDocument<Stored>;
  readonly #clock: Clock;
  readonly #random: Random;
  #keys: ReadonlyMap<string, StoredKey> = new Map();
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;

  constructor(store: ObjectStore, clock: Clock, random: Random) {
    this.#document = new VersionedDocument<Stored>(store, 'access/keys', undefined, random);
    this.#clock = clock;
    this.#random = random;
  }

  /** Throws TW_BAD_REQUEST. */
  async create(input: AccessKeyInput): Promise<NewAccessKey> {
    const { id, text } = makeKey(this.#random);
    const nowMs = this.#clock.nowMs();
    const key: StoredKey = { id, ...checkedInput(input, nowMs), hash: hashOfKey(text), createdAtMs: nowMs };
    await this.#update(keys => {
      if (keys.length >= MAX_KEYS) throw bad(`there are ${MAX_KEYS} keys already`);
      return [...keys, key];
    });
    return { ...infoOf(key), key: text };
  }

  /** The oldest first; without secrets, which nobody knows. */
  async list(): Promise<AccessKeyInfo[]> {
    await this.#refresh(0);
    return [...this.#keys.values()].map(infoOf);
  }

  /** Throws TW_API_KEY_NOT_FOUND. Nodes that do not hear of it refuse the key after 5 seconds. */
  async remove(id: string): Promise<void> {
    let removed = false;
    await this.#update(keys => {
      removed = keys.some(key => key.id === id);
      return keys.filter(key => key.id !== id);
    });
    if (!removed) throw new TailwaterError('TW_API_KEY_NOT_FOUND', { detail: `There is no key "${id.slice(0, 100)}".` });
  }

  /** Who the key belongs to; null: nobody, or it has expired. */
  async find(text: string): Promise<AccessKeyInfo | null> {
    const id = idOfKey(text);
    if (id === null) return null;
    await this.#refresh(FRESH_MS);
    if (!this.#keys.has(id)) await this.#refresh(LOOK_AGAIN_MS);
    const key = this.#keys.get(id);
    if (key === undefined || !isKeyOf(key.hash, text)) return null;
    return key.expiresAtMs !== null && key.expiresAtMs <= this.#clock.nowMs() ? null : infoOf(key);
  }

  async #refresh(maxAgeMs: number): Promise<void> {
    if (this.#clock.monotonicMs() - this.#readAtMs < maxAgeMs) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    const atMs = this.#clock.monotonicMs();
    this.#take((await this.#document.read())?.value ?? null, atMs);
  }

  async #update(change: (keys: StoredKey[]) => StoredKey[]): Promise<void> {
    const atMs = this.#clock.monotonicMs();
    const after = await this.#document.update(before => ({ formatVersion: 1, keys: change(keysOf(before)) }));
    this.#take(after, atMs);
  }

  #take(stored: Stored | null, atMs: number): void {
    if (atMs < this.#readAtMs) return;
    this.#keys = new Map(keysOf(stored).map(key => [key.id, key]));
    this.#readAtMs = atMs;
  }
}

function keysOf(stored: Stored | null): StoredKey[] {
  if (stored === null) return [];
  if (stored.formatVersion > 1) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', { detail: `access/keys has format ${stored.formatVersion}.` });
  }
  return stored.keys;
}

function infoOf({ hash: _hash, createdAtMs, expiresAtMs, ...rest }: StoredKey): AccessKeyInfo {
  const expiresAt = expiresAtMs === null ? null : new Date(expiresAtMs).toISOString();
  return { ...rest, createdAt: new Date(createdAtMs).toISOString(), expiresAt };
}

function checkedInput(
  { name, scopes = ['read'], streams, expiresAt }: AccessKeyInput,
  nowMs: number,
): Pick<StoredKey, 'name' | 'scopes' | 'streams' | 'expiresAtMs'> {
  if (name.trim() === '' || name.length > MAX_NAME_CHARS) throw bad(`\`name\` must have 1 to ${MAX_NAME_CHARS} characters`);
  if (scopes.length === 0) throw bad(`\`scopes\` must name at least one of ${SCOPES.join(', ')}`);
  const isUsable = streams === undefined || (streams.length > 0 && streams.length <= MAX_PREFIXES && !streams.includes(''));
  if (!isUsable) throw bad(`\`streams\` must be 1 to ${MAX_PREFIXES} beginnings of names`);
  if (streams !== undefined && scopes.includes('admin')) throw bad('a key of scope admin cannot be limited to some streams');
  const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
  if (expiresAtMs !== null && !(expiresAtMs > nowMs))
    throw bad('`expiresAt` must be a time in the future, such as 2027-01-31T00:00:00Z');
  return { name, scopes: SCOPES.filter(scope => scopes.includes(scope)), streams: streams ?? null, expiresAtMs };
}

function bad(problem: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `A key cannot be made so: ${problem}.` });
}
