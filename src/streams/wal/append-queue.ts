import { TailwaterError } from '../../base/index.ts';
import { type AppendReceipt, type AppendRequest, type ControlRecord, MAX_SEGMENT_RECORDS } from '../segment-types.ts';
import type { RequestSize } from './append-limits.ts';

/** What a waiting caller is told. */
export interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

export interface WaitingAppend extends RequestSize, Waiter<AppendReceipt> {
  kind: 'append';
  request: AppendRequest;
  /** Refused once already, on a state that may have been stale. */
  refusedOnce: boolean;
}

export interface WaitingControl extends RequestSize, Waiter<{ seq: number; commitTimeMs: number }> {
  kind: 'control';
  controls: readonly ControlRecord[];
  decidedAtSeq: number;
}

export type Waiting = WaitingAppend | WaitingControl;

/** Requests between arrival and commit, in order, bounded in bytes. */
export class AppendQueue {
  readonly #maxQueuedBytes: number;
  readonly #maxSegmentBytes: number;
  #waiting: Waiting[] = [];
  #head = 0;
  #bytes = 0;
  #records = 0;

  constructor(maxQueuedBytes: number, maxSegmentBytes: number) {
    this.#maxQueuedBytes = maxQueuedBytes;
    this.#maxSegmentBytes = maxSegmentBytes;
  }

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a next group would be closed by its size already. */
  get hasFullGroup(): boolean {
    return this.#records >= MAX_SEGMENT_RECORDS || this.#bytes >= this.#maxSegmentBytes;
  }

  /** Throws TW_BUSY at the bound. An empty queue takes any request that fits a segment. */
  push(waiting: Waiting): void {
    if (this.#bytes + waiting.bytes > this.#maxQueuedBytes && this.length > 0) {
      throw new TailwaterError('TW_BUSY', {
        detail: `${this.#bytes} bytes wait to be written to the log; at most ${this.#maxQueuedBytes} may.`,
        retryAfterMs: 100,
      });
    }
    this.putBack(waiting);
  }

  /** Takes a request again that has been let in before. */
  putBack(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    this.#records += waiting.records;
  }

  /** Removes the longest run of requests from the front that fits one segment. A control request goes alone. */
  takeGroup(): Waiting[] {
    const group: Waiting[] = [];
    let bytes = 0;
    let records = 0;
    while (this.#head < this.#waiting.length) {
      const next = this.#waiting[this.#head];
      const fits = bytes + next.bytes <= this.#maxSegmentBytes && records + next.records <= MAX_SEGMENT_RECORDS;
      if (group.length > 0 && (!fits || next.kind === 'control')) break;
      this.#head++;
      group.push(next);
      bytes += next.bytes;
      records += next.records;
      if (next.kind === 'control') break;
    }
    this.#bytes -= bytes;
    this.#records -= records;
    this.#compact();
    return group;
  }

  #compact(): void {
    if (this.#head * 2 <= this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }
}
