import { RecencyMap } from './bounded.ts';

/** How many writer incarnations a journal remembers. Every process start is one. */
const MAX_WRITERS = 1_000;

/** The last applied sequence of each writer incarnation: settles unknown outcomes below the floor (J2). */
export class WriterSequences {
  readonly #last = new RecencyMap<string, number>();
  #forgotten = false;

  static from(entries: Iterable<readonly [string, number]>, forgotten: boolean): WriterSequences {
    const writers = new WriterSequences();
    for (const [writerId, sequence] of entries) writers.#last.set(writerId, sequence);
    writers.#forgotten = forgotten;
    return writers;
  }

  /** True once some writer has been forgotten: from then on an unknown writer may have written. */
  get forgotten(): boolean {
    return this.#forgotten;
  }

  get size(): number {
    return this.#last.size;
  }

  record(writerId: string, sequence: number): void {
    this.#last.set(writerId, sequence);
    if (this.#last.trim((_, size) => size > MAX_WRITERS).length > 0) this.#forgotten = true;
  }

  /** Whether this attempt was applied. A writer's sequences rise, one attempt at a time. Undefined: expired. */
  settled(writerId: string, sequence: number): boolean | undefined {
    const last = this.#last.get(writerId);
    if (last === undefined) return this.#forgotten ? undefined : false;
    return last >= sequence;
  }

  /** Oldest first. */
  entries(): Iterable<[string, number]> {
    return this.#last.entries();
  }
}
