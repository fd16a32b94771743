/** One sample per so many bytes is exact enough for settings in gigabytes. */
const SAMPLE_BYTES = 256 * 1024;
const MAX_SAMPLES = 16_384;

/** How many bytes follow a segment, for the segments seen so far: sampled, and never overstated. */
export class LogSizes {
  readonly #sampleBytes: number;
  /** Ascending. `total`: bytes seen up to and with the segment. */
  #samples: { seq: number; total: number }[] = [];
  #total = 0;

  constructor(sampleBytes = SAMPLE_BYTES) {
    this.#sampleBytes = sampleBytes;
  }

  add(seq: number, bytes: number): void {
    this.#total += bytes;
    const last = this.#samples.at(-1);
    if (last !== undefined && this.#total - last.total < this.#sampleBytes) return;
    this.#samples.push({ seq, total: this.#total });
    if (this.#samples.length > MAX_SAMPLES) this.#samples = this.#samples.filter((_, index) => index % 2 === 1);
  }

  /** At least so many bytes are in segments above this one. */
  bytesAfter(seq: number): number {
    const at = this.#samples.find(sample => sample.seq >= seq);
    return at === undefined ? 0 : this.#total - at.total;
  }

  /** The highest segment that is certainly followed by so many bytes; 0 when none is known to be. */
  lastFollowedBy(bytes: number): number {
    return this.#samples.findLast(sample => this.#total - sample.total >= bytes)?.seq ?? 0;
  }
}
