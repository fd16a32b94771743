import { TailwaterError } from '../base/index.ts';
import { listAll, type ObjectStore, type StoredObject } from '../storage/index.ts';
import type { Checkpoint, CreateOutcome, Journal } from './journal.ts';
import { damaged, floorNeedsCheckpoint } from './journal-errors.ts';
import { decodeDocument, encodeDocument } from './json-document.ts';
import { parseSeqName, seqName } from './names.ts';

const PAGE_KEYS = 1000;
/** How often a conditional write is tried while others win or its outcome stays unknown. */
const MAX_ATTEMPTS = 10;
/** The newest checkpoint and the one before it, which someone may be about to read. */
const KEPT_CHECKPOINTS = 2;

/**
 * A journal in an object store: `prefix/entries/<20 digits>`, `prefix/checkpoints/<20 digits>` and `prefix/floor`. Any number of
 * processes may write to it; put-if-absent decides.
 */
export class ObjectJournal implements Journal {
  readonly #store: ObjectStore;
  readonly #entries: string;
  readonly #checkpoints: string;
  readonly #floorKey: string;

  constructor(store: ObjectStore, prefix: string) {
    this.#store = store;
    this.#entries = `${prefix}/entries/`;
    this.#checkpoints = `${prefix}/checkpoints/`;
    this.#floorKey = `${prefix}/floor`;
  }

  async create(seq: number, bytes: Uint8Array): Promise<CreateOutcome> {
    const outcome = await this.#store.put(this.#entries + seqName(seq), bytes, { ifAbsent: true });
    if (outcome.kind === 'unknown') return outcome;
    if (outcome.kind !== 'ok') return { kind: 'exists' };
    // J4: the name may have been free because its entry was collected; only the floor, read now, tells.
    try {
      const floor = await this.floor();
      return seq < floor ? { kind: 'below-floor', floor } : { kind: 'ok' };
    } catch (cause) {
      return { kind: 'unknown', cause };
    }
  }

  async read(seq: number): Promise<Uint8Array | null> {
    return (await this.#store.get(this.#entries + seqName(seq)))?.bytes ?? null;
  }

  async floor(): Promise<number> {
    return decodeFloor(await this.#store.get(this.#floorKey), this.#floorKey);
  }

  async raiseFloor(to: number): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const present = await this.#store.get(this.#floorKey);
      if (decodeFloor(present, this.#floorKey) >= to) return;
      await this.#requireCheckpoint(to);
      const condition = present === null ? { ifAbsent: true as const } : { ifMatch: present.etag };
      const outcome = await this.#store.put(this.#floorKey, encodeDocument({ floor: to }), condition);
      if (outcome.kind === 'ok') return;
    }
    throw new TailwaterError('TW_OUTCOME_UNKNOWN', { detail: `It is not known whether the floor was raised to ${to}.` });
  }

  async collect(): Promise<void> {
    const end = this.#entries + seqName(await this.floor());
    for (;;) {
      const page = await this.#store.list(this.#entries, { limit: PAGE_KEYS });
      const garbage = page.map(object => object.key).filter(key => key < end);
      if (garbage.length > 0) await this.#store.delete(garbage);
      if (garbage.length < PAGE_KEYS) break;
    }
    const superseded = (await this.#checkpointSeqs()).slice(0, -KEPT_CHECKPOINTS);
    if (superseded.length > 0) await this.#store.delete(superseded.map(seq => this.#checkpoints + seqName(seq)));
  }

  async latestCheckpoint(): Promise<Checkpoint | null> {
    for (;;) {
      const seq = (await this.#checkpointSeqs()).at(-1);
      if (seq === undefined) return null;
      const object = await this.#store.get(this.#checkpoints + seqName(seq));
      // Gone since the listing: newer ones replaced it.
      if (object !== null) return { seq, bytes: object.bytes };
    }
  }

  async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const key = this.#checkpoints + seqName(checkpoint.seq);
      const outcome = await this.#store.put(key, checkpoint.bytes, { ifAbsent: true });
      // Whoever wrote this number wrote the same state.
      if (outcome.kind !== 'unknown') return;
    }
    throw new TailwaterError('TW_OUTCOME_UNKNOWN', {
      detail: `It is not known whether checkpoint ${checkpoint.seq} was written.`,
    });
  }

  /** There is nothing to give up: the store is shared. */
  async close(): Promise<void> {}

  async #requireCheckpoint(to: number): Promise<void> {
    const newest = (await this.#checkpointSeqs()).at(-1) ?? 0;
    if (newest < to - 1) throw floorNeedsCheckpoint(to, newest);
  }

  async #checkpointSeqs(): Promise<number[]> {
    const seqs: number[] = [];
    for await (const { key } of listAll(this.#store, this.#checkpoints)) {
      const seq = parseSeqName(key.slice(this.#checkpoints.length));
      if (seq !== null) seqs.push(seq);
    }
    return seqs;
  }
}

function decodeFloor(object: StoredObject | null, key: string): number {
  if (object === null) return 1;
  const { floor } = decodeDocument(object.bytes, key);
  if (typeof floor !== 'number') throw damaged(`${key} names no floor.`, { key });
  return floor;
}
