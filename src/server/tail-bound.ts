import { TailwaterError } from '../base/index.ts';
import type { LiveStream, LiveStreams } from '../snapshot/index.ts';

const RETRY_AFTER_MS = 1000;
/** The sum over all streams is not taken for every append; between two sums, only streams that are written grow. */
const RECOUNT_EVERY = 64;

interface Size {
  rows: number;
  bytes: number;
}

/** Refuses writes when the tails together are at their bound: compaction has to catch up first. What is acknowledged stays visible. */
export class TailBound {
  readonly #streams: LiveStreams;
  readonly #maxRows: number;
  readonly #maxBytes: number;
  /** What each tail held when it was last looked at, and the sums of these. */
  readonly #seen = new Map<LiveStream, Size>();
  #rows = 0;
  #bytes = 0;
  #untilRecount = 0;

  constructor(streams: LiveStreams, maxRows: number, maxBytes: number) {
    this.#streams = streams;
    this.#maxRows = maxRows;
    this.#maxBytes = maxBytes;
  }

  /** Before an append to this stream. Throws TW_TAIL_FULL. */
  admit(incarnation: string): void {
    const stream = this.#streams.get(incarnation);
    if (this.#untilRecount-- <= 0) this.#recount();
    else if (stream) this.#look(stream);
    if (this.#hasRoom()) return;
    this.#recount();
    if (this.#hasRoom()) return;
    const [rows, bytes, maxRows, maxBytes] = [this.#rows, this.#bytes, this.#maxRows, this.#maxBytes];
    throw new TailwaterError('TW_TAIL_FULL', {
      detail: `The tails hold ${rows} rows and ${bytes} bytes; the bounds are ${maxRows} rows and ${maxBytes} bytes.`,
      retryAfterMs: RETRY_AFTER_MS,
      data: { rows, bytes, maxRows, maxBytes },
    });
  }

  #hasRoom(): boolean {
    return this.#rows < this.#maxRows && this.#bytes < this.#maxBytes;
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
