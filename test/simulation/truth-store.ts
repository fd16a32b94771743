import { fromUtf8 } from '../../src/base/index.ts';
import type { ListedObject, ListOptions, ObjectStore, PutCondition, PutOutcome, StoredObject } from '../../src/storage/index.ts';
import type { Truth } from './truth.ts';
import { must } from './violation.ts';

const CATALOG_ENTRY = /^catalog\/entries\/\d{20}$/;
const LOG_ENTRY = /^log\/entries\/(\d{20})$/;
const STATE_ENTRY = /^tables\/([^/]+)\/state\/entries\/(\d{20})$/;

const STATE_FLOOR = /^tables\/([^/]+)\/state\/floor$/;
const MAX_CALLS_OF_A_MOMENT = 30_000;

/** The one store that all nodes share. Tells the truth of every commit in the step in which it happens. */
export class TruthStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #truth: Truth;
  readonly #names = new Set<string>();
  readonly #floors = new Map<string, number>();
  #moment = 0;
  #callsOfMoment = 0;

  constructor(inner: ObjectStore, truth: Truth) {
    this.#inner = inner;
    this.#truth = truth;
  }

  put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome> {
    const created = !this.#names.has(key);
    this.#names.add(key);
    if (created) this.#truth.witness(() => this.#created(key, bytes));
    const put = this.#inner.put(key, bytes, condition);
    if (!key.endsWith('/floor')) return put;
    return put.then(outcome => {
      if (outcome.kind === 'ok') this.#floorWritten(key, bytes);
      return outcome;
    });
  }

  get(key: string, options?: Parameters<ObjectStore['get']>[1]): Promise<StoredObject | null> {
    return this.#isLivelock(key) ? new Promise(() => {}) : this.#inner.get(key, options);
  }

  head(key: string): Promise<{ size: number; etag: string } | null> {
    return this.#inner.head(key);
  }

  list(prefix: string, options?: ListOptions): Promise<ListedObject[]> {
    return this.#inner.list(prefix, options);
  }

  delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.#names.delete(key);
      this.#truth.witness(() => this.#deleted(key));
    }
    return this.#inner.delete(keys);
  }

  /** Nobody asks so much in no time at all, unless they never stop. */
  #isLivelock(key: string): boolean {
    const nowMs = this.#truth.nowMs();
    if (nowMs !== this.#moment) this.#callsOfMoment = 0;
    this.#moment = nowMs;
    if (++this.#callsOfMoment < MAX_CALLS_OF_A_MOMENT) return false;
    this.#truth.witness(() => must(false, 'every loop rests', () => key));
    return true;
  }

  #created(key: string, bytes: Uint8Array): void {
    const log = LOG_ENTRY.exec(key);
    if (log) this.#truth.commitSegment(Number(log[1]), bytes);
    if (CATALOG_ENTRY.test(key)) this.#catalogChanged(bytes);
    const state = STATE_ENTRY.exec(key);
    if (state) this.#truth.commitState(state[1], Number(state[2]), bytes);
  }

  #catalogChanged(bytes: Uint8Array): void {
    const { change } = JSON.parse(fromUtf8(bytes)) as { change: { kind: string; incarnation: string } };
    if (change.kind === 'deleted') this.#truth.dead.add(change.incarnation);
  }

  #floorWritten(key: string, bytes: Uint8Array): void {
    const { floor } = JSON.parse(fromUtf8(bytes)) as { floor: number };
    this.#floors.set(key, Math.max(floor, this.#floors.get(key) ?? 1));
    if (key === 'log/floor') this.#truth.logFloor = this.#floors.get(key)!;
    const states = STATE_FLOOR.exec(key);
    if (states) this.#truth.raiseStateFloor(states[1], floor);
  }

  #deleted(key: string): void {
    const entry = /^(.*)\/entries\/(\d{20})$/.exec(key);
    if (entry === null || this.#truth.dead.has(entry[1].split('/')[1])) return;
    const floor = this.#floors.get(`${entry[1]}/floor`) ?? 1;
    must(Number(entry[2]) < floor, 'an entry is deleted only below a durable floor', () => ({ key, floor }));
  }
}
