import { TailwaterError } from '../../base/index.ts';
import type { Journal } from '../../journal/index.ts';
import type { Segment } from '../segment-types.ts';
import { decodeSegment } from './segment.ts';

/** Records × positions cost about this much beside the bytes of a segment. */
const POSITION_BYTES = 28;
const READ_AHEAD_SEGMENTS = 4;
const READ_AHEAD_BYTES = 32 * 1024 * 1024;

export interface LogReaderOptions {
  /** Decoded segments kept for other readers; default 32 MiB. */
  maxCacheBytes?: number;
}

/** Reads segments of one shard by number, for those who do not follow it: compaction, replay, reads below the tail. */
export class LogReader {
  readonly #journal: Journal;
  readonly #maxCacheBytes: number;
  /** Least recently used first. */
  readonly #cache = new Map<number, Segment>();
  #cacheBytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(journal: Journal, options: LogReaderOptions = {}) {
    this.#journal = journal;
    this.#maxCacheBytes = options.maxCacheBytes ?? 32 * 1024 * 1024;
  }

  /** Null when no such segment is there: not written yet, or below the floor. TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
  async read(seq: number): Promise<Segment | null> {
    const cached = this.#cache.get(seq);
    if (cached !== undefined) {
      this.#hits++;
      this.#cache.delete(seq);
      this.#cache.set(seq, cached);
      return cached;
    }
    this.#misses++;
    const bytes = await this.#journal.read(seq);
    if (bytes === null) return null;
    const segment = decodeSegment(bytes);
    this.#keep(segment);
    return segment;
  }

  /** The lowest segment that is kept. */
  floor(): Promise<number> {
    return this.#journal.floor();
  }

  /**
   * Segments fromSeq to throughSeq, all of them, in order, with a few read ahead. TW_HISTORY_EXPIRED when one is below the floor,
   * TW_NOT_YET_VISIBLE when one is not written yet. Who leaves before the end asks for the floor: what lies below it may not be what
   * was committed there (J4).
   */
  async *range(fromSeq: number, throughSeq: number): AsyncIterable<Segment> {
    const ahead: Promise<Segment | null>[] = [];
    let next = fromSeq;
    let meanBytes = 0;
    try {
      for (let seq = fromSeq; seq <= throughSeq; seq++) {
        const depth = Math.max(1, Math.min(READ_AHEAD_SEGMENTS, Math.floor(READ_AHEAD_BYTES / Math.max(meanBytes, 1))));
        while (next <= throughSeq && ahead.length < depth) ahead.push(this.#readAhead(next++));
        const segment = await ahead.shift()!;
        if (segment === null) throw await this.#missing(seq);
        meanBytes = (meanBytes + segment.byteLength) / 2;
        yield segment;
      }
      if (fromSeq <= throughSeq && (await this.floor()) > fromSeq) throw await this.#missing(fromSeq);
    } finally {
      await Promise.allSettled(ahead);
    }
  }

  stats(): Record<string, number> {
    return { cachedSegments: this.#cache.size, cachedBytes: this.#cacheBytes, hits: this.#hits, misses: this.#misses };
  }

  /** A read that fails before its turn is an error of its turn, not a rejection that nobody handles. */
  #readAhead(seq: number): Promise<Segment | null> {
    const segment = this.read(seq);
    segment.catch(() => {});
    return segment;
  }

  async #missing(seq: number): Promise<TailwaterError> {
    const floor = await this.#journal.floor();
    if (floor > seq) {
      return new TailwaterError('TW_HISTORY_EXPIRED', {
        detail: `Segment ${seq} is gone; the log starts at ${floor}.`,
        data: { floor },
      });
    }
    return new TailwaterError('TW_NOT_YET_VISIBLE', { detail: `Segment ${seq} has not been written yet.`, data: { seq } });
  }

  #keep(segment: Segment): void {
    if (this.#cache.has(segment.seq)) return;
    this.#cache.set(segment.seq, segment);
    this.#cacheBytes += costOf(segment);
    for (const [seq, oldest] of this.#cache) {
      if (this.#cacheBytes <= this.#maxCacheBytes) break;
      this.#cache.delete(seq);
      this.#cacheBytes -= costOf(oldest);
    }
  }
}

function costOf(segment: Segment): number {
  return segment.batches.reduce((sum, { batch }) => sum + batch.count * POSITION_BYTES, segment.byteLength);
}
