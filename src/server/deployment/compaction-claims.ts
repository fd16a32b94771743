import { type Clock, fromUtf8, isJsonObject, type Timer, utf8 } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';

/** Says who compacts a stream now, so that nodes do not do the same work twice. Correctness does not depend on it: compactions race safely (C3). */
export interface CompactionClaims {
  /** Null: another node is at it. */
  claim(incarnation: string): Promise<{ release(): Promise<void> } | null>;
}

/** A claim that is not renewed ends after so long: its node died. Clocks that differ only cost work done twice, or later. */
const TTL_MS = 20_000;
const RENEW_EVERY_MS = 8_000;

/** Claims as objects `leases/compaction/<incarnation>` with an end. */
export class LeaseClaims implements CompactionClaims {
  readonly #store: ObjectStore;
  readonly #node: string;
  readonly #clock: Clock;

  constructor(store: ObjectStore, node: string, clock: Clock) {
    this.#store = store;
    this.#node = node;
    this.#clock = clock;
  }

  async claim(incarnation: string): Promise<{ release(): Promise<void> } | null> {
    const key = `leases/compaction/${incarnation}`;
    let etag = await this.#take(key);
    if (etag === null) return null;
    let timer: Timer | null = null;
    const renewLater = (): void => {
      timer = this.#clock.after(RENEW_EVERY_MS, async () => {
        etag = etag === null ? null : await this.#write(key, { ifMatch: etag }).catch(() => null);
        if (etag !== null && timer !== null) renewLater();
      });
    };
    renewLater();
    return {
      release: async () => {
        timer?.cancel();
        timer = null;
        if (etag !== null) await this.#store.delete([key]).catch(() => {});
      },
    };
  }

  async #take(key: string): Promise<string | null> {
    const created = await this.#write(key, { ifAbsent: true });
    if (created !== null) return created;
    const found = await this.#store.get(key);
    if (found === null || this.#clock.nowMs() < endOf(found.bytes)) return null;
    return this.#write(key, { ifMatch: found.etag });
  }

  async #write(key: string, condition: { ifAbsent: true } | { ifMatch: string }): Promise<string | null> {
    const lease = { node: this.#node, endsAtMs: this.#clock.nowMs() + TTL_MS };
    const outcome = await this.#store.put(key, utf8(JSON.stringify(lease)), condition);
    return outcome.kind === 'ok' ? outcome.etag : null;
  }
}

/** What cannot be read has ended. */
function endOf(bytes: Uint8Array): number {
  try {
    const lease: unknown = JSON.parse(fromUtf8(bytes));
    return isJsonObject(lease) && typeof lease.endsAtMs === 'number' ? lease.endsAtMs : 0;
  } catch {
    return 0;
  }
}
