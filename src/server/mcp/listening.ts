import { isJsonObject } from '../../base/index.ts';
import type { StreamChanges, Watchable } from './changes.ts';
import { Subscriptions } from './subscriptions.ts';

/** The resources that a listening request of 2026-07-28 names; null when it is no such request. What is malformed is for the SDK to say. */
export function listenedResources(message: unknown): string[] | null {
  if (!isJsonObject(message) || message.method !== 'subscriptions/listen') return null;
  const filter = isJsonObject(message.params) ? message.params.notifications : null;
  const uris = isJsonObject(filter) ? filter.resourceSubscriptions : null;
  return Array.isArray(uris) ? [...new Set(uris.filter(uri => typeof uri === 'string'))] : [];
}

/**
 * Publishes each change once, however many listening requests name its resource: the SDK hands it to those that do.
 */
export class Listening {
  readonly #changes: StreamChanges;
  readonly #max: number;
  readonly #publish: (uri: string) => void;
  readonly #counts = new Map<string, { count: number; shared: Subscriptions }>();

  constructor(changes: StreamChanges, max: number, publish: (uri: string) => void) {
    this.#changes = changes;
    this.#max = max;
    this.#publish = publish;
  }

  /** Throws protocol errors, and then nothing is listened to. The returned function ends it; it may be called twice. `may`: what the listener may watch. */
  async listen(uris: readonly string[], may: Watchable = this.#changes): Promise<() => void> {
    const held: string[] = [];
    const end = (): void => {
      for (const uri of held.splice(0)) this.#release(uri);
    };
    const own = new Subscriptions(may, this.#max, () => {});
    try {
      for (const uri of uris) {
        // Checks the address and the bound of this request; the shared one below tells.
        await own.add(uri);
        held.push(uri);
        await this.#retain(uri);
      }
    } catch (error) {
      end();
      throw error;
    } finally {
      own.close();
    }
    return end;
  }

  async #retain(uri: string): Promise<void> {
    const known = this.#counts.get(uri);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const shared = new Subscriptions(this.#changes, 1, this.#publish);
    this.#counts.set(uri, { count: 1, shared });
    await shared.add(uri);
  }

  #release(uri: string): void {
    const known = this.#counts.get(uri);
    if (known === undefined || --known.count > 0) return;
    this.#counts.delete(uri);
    known.shared.close();
  }
}
