import type { AppendReceipt } from '../segment-types.ts';
import { RecencyMap } from './bounded.ts';
import type { IdempotencyRecord } from './segment-layout.ts';

const KEPT_MS = 24 * 3_600_000;
const MAX_KEYS = 100_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** What an entry costs besides its texts. */
const ENTRY_BYTES = 200;
const PART_BYTES = 64;

export interface IdempotencyEntry extends IdempotencyRecord {
  seq: number;
  commitTimeMs: number;
  bytes: number;
}

/** Idempotency keys of the last 24 hours of commit time, at most 100,000 of them and 64 MiB: the oldest go first. */
export class IdempotencyTable {
  readonly #entries = new RecencyMap<string, IdempotencyEntry>();
  #bytes = 0;
  #forgottenSeq: number;

  /** `forgottenSeq`: entries of this segment and below may be missing. */
  constructor(forgottenSeq = 0) {
    this.#forgottenSeq = forgottenSeq;
  }

  /** No entry of a segment above this one has been forgotten. */
  get forgottenSeq(): number {
    return this.#forgottenSeq;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): IdempotencyEntry | undefined {
    return this.#entries.get(key);
  }

  record(record: IdempotencyRecord, seq: number, commitTimeMs: number): void {
    this.#bytes -= this.#entries.get(record.key)?.bytes ?? 0;
    const bytes = sizeOf(record);
    this.#entries.set(record.key, { ...record, seq, commitTimeMs, bytes });
    this.#bytes += bytes;
  }

  trim(nowMs: number): void {
    this.#entries.trim((entry, size) => {
      const expired = entry.commitTimeMs <= nowMs - KEPT_MS || size > MAX_KEYS || this.#bytes > MAX_BYTES;
      if (expired) {
        this.#bytes -= entry.bytes;
        this.#forgottenSeq = Math.max(this.#forgottenSeq, entry.seq);
      }
      return expired;
    });
  }

  /** Oldest first. */
  entries(): Iterable<[string, IdempotencyEntry]> {
    return this.#entries.entries();
  }
}

export function receiptOf(record: IdempotencyRecord, seq: number, commitTimeMs: number, duplicate: boolean): AppendReceipt {
  return { seq, commitTimeMs, parts: record.parts, duplicate, answer: record.answer };
}

function sizeOf(record: IdempotencyRecord): number {
  const texts = record.key.length + record.fingerprint.length + JSON.stringify(record.answer).length;
  return ENTRY_BYTES + texts * 2 + record.parts.length * PART_BYTES;
}
