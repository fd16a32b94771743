import { TailwaterError } from '../base/index.ts';
import type { LiveStream, LiveStreams } from '../snapshot/index.ts';
import type { ComponentStats } from './metrics.ts';

const RETRY_AFTER_MS = 1000;
/** The sum over all streams is not taken for every append; between two sums, only streams that are written grow. */
const RECOUNT_EVERY = 64;
const MAX_STREAMS_IN_METRICS = 1000;

export interface TailBoundSettings {
  /** Of all tails together. */
  maxTailRows: number;
  maxTailBytes: number;
  /** What one stream may have of both, above 0 and at most 1. */
  tailStreamShare: number;
}

interface Size {
  rows: number;
  bytes: number;
}

/**
 * Refuses writes when the tails together are at their bound, and those to one stream when its tail is at its share: compaction has to catch
 * up first, and a stream that is written to faster than it is compacted stops nobody else. What is acknowledged stays visible.
 */
export class TailBound {
  readonly #streams: LiveStreams;
  readonly #max: Size;
  readonly #share: number;
  readonly #maxOfStream: Size;
  /** What each tail held when it was last looked at, and the sums of these. */
  readonly #seen = new Map<LiveStream, Size>();
  readonly #refusedOf = new WeakMap<LiveStream, number>();
  #rows = 0;
  #bytes = 0;
  #untilRecount = 0;
  #refused = 0;

  constructor(streams: LiveStreams, { maxTailRows, maxTailBytes, tailStreamShare }: TailBoundSettings) {
    this.#streams = streams;
    this.#max = { rows: maxTailRows, bytes: maxTailBytes };
    this.#share = tailStreamShare;
    const ofStream = (max: number): number => Math.max(1, Math.floor(max * tailStreamShare));
    this.#maxOfStream = { rows: ofStream(maxTailRows), bytes: ofStream(maxTailBytes) };
  }

  /** Before an append to this stream. Throws TW_TAIL_FULL. */
  admit(incarnation: string): void {
    const stream = this.#streams.get(incarnation);
    if (stream) this.#admitStream(stream);
    if (this.#untilRecount-- <= 0) this.#recount();
    else if (stream) this.#look(stream);
    if (this.#hasRoom()) return;
    this.#recount();
    if (this.#hasRoom()) return;
    this.#refused++;
    const [rows, bytes, maxRows, maxBytes] = [this.#rows, this.#bytes, this.#max.rows, this.#max.bytes];
    throw new TailwaterError('TW_TAIL_FULL', {
      detail: `The tails hold ${rows} rows and ${bytes} bytes; the bounds are ${maxRows} rows and ${maxBytes} bytes.`,
      retryAfterMs: RETRY_AFTER_MS,
      data: { rows, bytes, maxRows, maxBytes },
    });
  }

  stats(): ComponentStats[] {
    const { rows: maxRows, bytes: maxBytes } = this.#max;
    const { rows: maxStreamRows, bytes: maxStreamBytes } = this.#maxOfStream;
    const stats = { maxRows, maxBytes, maxStreamRows, maxStreamBytes, refused: this.#refused };
    const streams = [...this.#streams.all()].slice(0, MAX_STREAMS_IN_METRICS);
    return [{ component: 'tail_bound', stats }, ...streams.map(stream => this.#statsOf(stream))];
  }

  #statsOf(stream: LiveStream): ComponentStats {
    const refused = this.#refusedOf.get(stream) ?? 0;
    return { component: 'tail', labels: { stream: stream.definition.name }, stats: { ...stream.tail.stats(), refused } };
  }

  #admitStream(stream: LiveStream): void {
    const { rows, bytes } = stream.tail;
    const { rows: maxRows, bytes: maxBytes } = this.#maxOfStream;
    if (this.#share >= 1 || (rows < maxRows && bytes < maxBytes)) return;
    this.#refusedOf.set(stream, (this.#refusedOf.get(stream) ?? 0) + 1);
    const { name } = stream.definition;
    throw new TailwaterError('TW_TAIL_FULL', {
      detail:
        `The tail of stream "${name}" holds ${rows} rows and ${bytes} bytes; one stream may have ${maxRows} rows and ${maxBytes} bytes ` +
        '(tail.streamShare of tail.maxRows and tail.maxBytes). Other streams are written to as before; this one is again once it is compacted. ' +
        'If it comes back, write it more slowly, add nodes that compact, or raise these settings.',
      retryAfterMs: RETRY_AFTER_MS,
      data: { stream: name, rows, bytes, maxRows, maxBytes },
    });
  }

  #hasRoom(): boolean {
    return this.#rows < this.#max.rows && this.#bytes < this.#max.bytes;
  }

  #recount(): void {
    this.#seen.clear();
    this.#rows = 0;
    this.#bytes = 0;
    for (const stream of this.#streams.all()) this.#look(stream);
    this.#untilRecount = RECOUNT_EVERY;
  }

  #look(stream: LiveStream): void {
    const before = this.#seen.get(stream);
    const { rows, bytes } = stream.tail;
    this.#rows += rows - (before?.rows ?? 0);
    this.#bytes += bytes - (before?.bytes ?? 0);
    this.#seen.set(stream, { rows, bytes });
  }
}
