import { TailwaterError } from '../base/index.ts';
import type { LiveStreams } from '../snapshot/index.ts';

const RETRY_AFTER_MS = 1000;
/** Sums over many streams are not taken for every append. */
const RECOUNT_EVERY = 64;

/** Refuses writes when the tails together are at their bound: compaction has to catch up first. What is acknowledged stays visible. */
export class TailBound {
  readonly #streams: LiveStreams;
  readonly #maxRows: number;
  readonly #maxBytes: number;
  #untilRecount = 0;

  constructor(streams: LiveStreams, maxRows: number, maxBytes: number) {
    this.#streams = streams;
    this.#maxRows = maxRows;
    this.#maxBytes = maxBytes;
  }

  /** Throws TW_TAIL_FULL. */
  admit(): void {
    if (this.#untilRecount-- > 0) return;
    let rows = 0;
    let bytes = 0;
    for (const stream of this.#streams.all()) {
      rows += stream.tail.rows;
      bytes += stream.tail.bytes;
    }
    if (rows < this.#maxRows && bytes < this.#maxBytes) {
      this.#untilRecount = rows * 2 < this.#maxRows && bytes * 2 < this.#maxBytes ? RECOUNT_EVERY : 0;
      return;
    }
    throw new TailwaterError('TW_TAIL_FULL', {
      detail: `The tails hold ${rows} rows and ${bytes} bytes; the bounds are ${this.#maxRows} rows and ${this.#maxBytes} bytes.`,
      retryAfterMs: RETRY_AFTER_MS,
      data: { rows, bytes, maxRows: this.#maxRows, maxBytes: this.#maxBytes },
    });
  }
}
