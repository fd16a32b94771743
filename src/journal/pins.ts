import { type Clock, isJsonObject, type JsonObject, type Random, randomId, TailwaterError } from '../base/index.ts';
import type { ListedObject, ObjectStore } from '../storage/index.ts';
import { damaged } from './journal-errors.ts';
import { decodeDocument, encodeDocument } from './json-document.ts';

/** A wish that old state be kept, as the collector sees it. */
export interface PinRecord {
  node: string;
  id: string;
  what: JsonObject;
  expiresAtMs: number;
}

/** A pin that this node holds. */
export interface Pin {
  readonly id: string;
  /** Keeps it for `ttlMs` from now. Throws TW_SNAPSHOT_EXPIRED when it had run out: what it named may be gone. */
  renew(ttlMs: number): Promise<void>;
  /** Safe to repeat. */
  release(): Promise<void>;
}

const ROOT = 'pins/';
const MAX_ATTEMPTS = 5;

/**
 * Pins (design J9): objects `pins/<node>/<id>` that say what must not be deleted, and until when. Whoever pins does so before use,
 * then reads floor and state again and starts over if they have passed what was pinned; the collector lists the pins before it deletes.
 */
export class Pins {
  readonly #store: ObjectStore;
  readonly #nodeId: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(store: ObjectStore, nodeId: string, clock: Clock, random: Random) {
    this.#store = store;
    this.#nodeId = nodeId;
    this.#clock = clock;
    this.#random = random;
  }

  /** The pin is durable when this returns. */
  async create(what: JsonObject, ttlMs: number): Promise<Pin> {
    const id = randomId(this.#random);
    const key = `${ROOT}${this.#nodeId}/${id}`;
    let expiresAtMs = await this.#write(key, what, ttlMs);
    return {
      id,
      renew: async renewedTtlMs => {
        this.#requireBefore(expiresAtMs, id);
        const renewedMs = await this.#write(key, what, renewedTtlMs);
        // A collector may have looked between the end of the old term and this write.
        this.#requireBefore(expiresAtMs, id);
        expiresAtMs = renewedMs;
      },
      release: () => this.#store.delete([key]),
    };
  }

  /** The pins of all nodes that have not run out. */
  async list(): Promise<PinRecord[]> {
    const records: PinRecord[] = [];
    for await (const object of this.#objects()) {
      const stored = await this.#store.get(object.key);
      // Released since the listing.
      if (stored === null) continue;
      const record = decodePin(object.key, stored.bytes);
      if (record.expiresAtMs > this.#clock.nowMs()) records.push(record);
    }
    return records;
  }

  /** Deletes pins that ran out at least `graceMs` ago, which nodes that died left behind. Returns how many. */
  async removeExpired(graceMs: number): Promise<number> {
    const expired: string[] = [];
    for await (const object of this.#objects()) {
      const stored = await this.#store.get(object.key);
      if (stored !== null && decodePin(object.key, stored.bytes).expiresAtMs + graceMs <= this.#clock.nowMs())
        expired.push(object.key);
    }
    if (expired.length > 0) await this.#store.delete(expired);
    return expired.length;
  }

  #requireBefore(expiresAtMs: number, id: string): void {
    if (this.#clock.nowMs() >= expiresAtMs) throw new TailwaterError('TW_SNAPSHOT_EXPIRED', { detail: `Pin ${id} has run out.` });
  }

  /** The name is this node's alone, so that repeating an unknown write is safe. */
  async #write(key: string, what: JsonObject, ttlMs: number): Promise<number> {
    const expiresAtMs = this.#clock.nowMs() + ttlMs;
    const bytes = encodeDocument({ what, expiresAtMs });
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if ((await this.#store.put(key, bytes)).kind === 'ok') return expiresAtMs;
    }
    throw new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: 'A pin could not be written.' });
  }

  async *#objects(): AsyncGenerator<ListedObject> {
    let startAfter: string | null = null;
    for (;;) {
      const page: ListedObject[] = await this.#store.list(ROOT, startAfter === null ? {} : { startAfter });
      if (page.length === 0) return;
      yield* page;
      startAfter = page[page.length - 1].key;
    }
  }
}

function decodePin(key: string, bytes: Uint8Array): PinRecord {
  const [node, id] = key.slice(ROOT.length).split('/');
  const { what, expiresAtMs } = decodeDocument(bytes, key);
  if (!isJsonObject(what) || typeof expiresAtMs !== 'number') throw damaged(`${key} is not a pin.`, { key });
  return { node, id, what, expiresAtMs };
}
