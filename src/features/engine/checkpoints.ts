import { isTailwaterError, type Logger, type Random, randomId } from '../../base/index.ts';
import { listAll, type ObjectStore, VersionedDocument } from '../../storage/index.ts';
import type { ViewPlan } from '../plan.ts';
import { decodeViewState, encodeViewState } from '../state/codec.ts';
import type { ViewState, ViewStateOptions } from '../state/view-state.ts';

interface CheckpointDocument {
  formatVersion: 1;
  version: string;
  incarnation: string;
  /** Per partition, the offset to read from next. */
  next: number[];
  /** The object that holds the state. */
  key: string;
}

export interface Checkpoint {
  state: ViewState;
  next: number[];
}

/**
 * The state of a view in the object store, with the position it is of. First the state as an object of its own, then the document that names it: the
 * commit. A checkpoint is never needed, only faster: what cannot be used is left, and the state is built from the stream.
 */
export class Checkpoints {
  readonly #store: ObjectStore;
  readonly #random: Random;
  readonly #logger: Logger;

  constructor(store: ObjectStore, random: Random, logger: Logger) {
    this.#store = store;
    this.#random = random;
    this.#logger = logger;
  }

  async write(view: string, incarnation: string, state: ViewState, next: readonly number[]): Promise<void> {
    const { version } = state.plan;
    const key = `features/state/${view}/${randomId(this.#random)}`;
    const document: CheckpointDocument = { formatVersion: 1, version, incarnation, next: [...next], key };
    const bytes = encodeViewState(state);
    await this.#store.put(key, bytes, { ifAbsent: true });
    await this.#document(view).update(() => document);
    await this.#deleteStates(view, key);
  }

  /** Null when there is none that can be used. */
  async read(view: string, incarnation: string, plan: ViewPlan, options: ViewStateOptions): Promise<Checkpoint | null> {
    try {
      const document = (await this.#document(view).read())?.value ?? null;
      if (document === null || document.formatVersion > 1) return null;
      if (document.version !== plan.version || document.incarnation !== incarnation) return null;
      const object = await this.#store.get(document.key);
      const state = object === null ? null : decodeViewState(object.bytes, plan, options);
      return state === null ? null : { state, next: document.next };
    } catch (error) {
      if (!isTailwaterError(error, 'TW_DATA_DAMAGED', 'TW_FORMAT_TOO_NEW')) throw error;
      this.#logger.warn(
        { view, reason: error.message },
        'The checkpoint of a feature view cannot be used; its stream is read again',
      );
      return null;
    }
  }

  async remove(view: string): Promise<void> {
    await this.#store.delete([this.#key(view)]);
    await this.#deleteStates(view, null);
  }

  /** Also what a write that was cut off left. */
  async #deleteStates(view: string, kept: string | null): Promise<void> {
    const keys: string[] = [];
    for await (const { key } of listAll(this.#store, `features/state/${view}/`)) if (key !== kept) keys.push(key);
    await this.#store.delete(keys);
  }

  #document(view: string): VersionedDocument<CheckpointDocument> {
    return new VersionedDocument<CheckpointDocument>(this.#store, this.#key(view), undefined, this.#random);
  }

  #key(view: string): string {
    return `features/checkpoints/${view}`;
  }
}
