import { type Clock, type Random, TailwaterError } from '../../src/base/index.ts';
import type { ListedObject, ListOptions, ObjectStore, PutCondition, PutOutcome, StoredObject } from '../../src/storage/index.ts';

/** Probabilities, from 0 to 1, each independent of the others. */
export interface Faults {
  /** A put that answers `unknown` without having taken effect. */
  lostRequest: number;
  /** A put that answers `unknown` although it took effect. */
  lostReply: number;
  /** A put that answers `unknown` and takes effect later, up to `lateMs` after. */
  late: number;
  /** A put that a layer below sends twice: what it answers is the second's outcome. */
  repeated: number;
  /** A call that certainly had no effect and throws TW_STORAGE_UNAVAILABLE. */
  error: number;
  /** Share of calls that wait up to `maxDelayMs` before they take effect, and of those that wait so before they answer. */
  delayed: number;
  maxDelayMs: number;
  lateMs: number;
}

export const NO_FAULTS: Faults = {
  lostRequest: 0,
  lostReply: 0,
  late: 0,
  repeated: 0,
  error: 0,
  delayed: 1,
  maxDelayMs: 0,
  lateMs: 0,
};

/** Decorates a store with seeded faults; what is asked of it under the same seed and clock happens the same way each time. */
export class FaultyObjectStore implements ObjectStore {
  faults: Faults;
  readonly #inner: ObjectStore;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(inner: ObjectStore, clock: Clock, random: Random, faults: Partial<Faults> = {}) {
    this.#inner = inner;
    this.#clock = clock;
    this.#random = random;
    this.faults = { ...NO_FAULTS, ...faults };
  }

  async put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome> {
    const content = bytes.slice();
    await this.#delay();
    this.#maybeFail(key);
    const send = (): Promise<PutOutcome> => this.#inner.put(key, content, condition);
    if (this.#happens(this.faults.lostRequest)) return lost(key);
    if (this.#happens(this.faults.late)) {
      this.#clock.after(this.#random.float() * this.faults.lateMs, () => void send());
      return lost(key);
    }
    let outcome = await send();
    if (this.#happens(this.faults.repeated)) outcome = await send();
    await this.#delay();
    return this.#happens(this.faults.lostReply) ? lost(key) : outcome;
  }

  async get(key: string, options?: Parameters<ObjectStore['get']>[1]): Promise<StoredObject | null> {
    return this.#read(key, () => this.#inner.get(key, options));
  }

  async head(key: string): Promise<{ size: number; etag: string } | null> {
    return this.#read(key, () => this.#inner.head(key));
  }

  async list(prefix: string, options?: ListOptions): Promise<ListedObject[]> {
    return this.#read(prefix, () => this.#inner.list(prefix, options));
  }

  async delete(keys: readonly string[]): Promise<void> {
    return this.#read(keys[0] ?? '', () => this.#inner.delete(keys));
  }

  async #read<T>(key: string, call: () => Promise<T>): Promise<T> {
    await this.#delay();
    this.#maybeFail(key);
    const answer = await call();
    await this.#delay();
    return answer;
  }

  async #delay(): Promise<void> {
    const { delayed, maxDelayMs } = this.faults;
    if (maxDelayMs === 0 || (delayed < 1 && !this.#happens(delayed))) return;
    await this.#clock.sleep(this.#random.float() * maxDelayMs);
  }

  #maybeFail(key: string): void {
    if (this.#happens(this.faults.error)) throw new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: `Injected for ${key}.` });
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random.float() < probability;
  }
}

function lost(key: string): PutOutcome {
  return { kind: 'unknown', cause: new Error(`The reply for ${key} was lost.`) };
}
