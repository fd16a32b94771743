import { isTailwaterError, TailwaterError } from '../base/index.ts';
import { type LogReader, StreamTail } from '../streams/index.ts';
import type { LiveStream } from './live-stream.ts';
import type { Pinned } from './pinned.ts';
import { ShadowedRows } from './shadowed-rows.ts';
import type { TableView } from './table-view.ts';

type PastCut = Pick<Pinned, 'table' | 'shadowed' | 'tail'>;

/** Gives the rows that win in a cut of a tail the vectors that can be had: `fill` at once, `compute` without asking anybody. */
interface CutVectors {
  fill(tail: StreamTail, throughSegment: number): Promise<void>;
  compute(tail: StreamTail, throughSegment: number): Promise<void>;
}

interface CachedCut {
  view: TableView | null;
  shadowed: ShadowedRows | null;
  tail: StreamTail;
}

/** Instants older than the newest table state: the state before, and a tail rebuilt from the log. A few are kept for the next request. */
export class PastCuts {
  readonly #log: LogReader;
  readonly #vectors: CutVectors;
  readonly #maxEntries: number;
  readonly #cache = new Map<string, Promise<CachedCut>>();

  constructor(log: LogReader, vectors: CutVectors, maxEntries = 4) {
    this.#log = log;
    this.#vectors = vectors;
    this.#maxEntries = maxEntries;
  }

  /** A row that was superseded before it got a vector has none in the tail; an instant before that needs it. */
  async completeVectors(tail: StreamTail, segment: number): Promise<void> {
    await this.#vectors.compute(tail, segment);
  }

  /** `maxExpired`: how many records had expired by then. Throws TW_HISTORY_EXPIRED when the state or the log it needs is gone: never an approximate answer. */
  async at(stream: LiveStream, segment: number, maxExpired: number): Promise<PastCut> {
    const kept = (await this.#kept(stream, segment, maxExpired)) ?? (await this.#kept(stream, segment, maxExpired));
    if (kept === null)
      throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: 'The table state of that instant is no longer kept.' });
    const { view, shadowed, tail } = kept;
    return { table: view, shadowed, tail: tail.snapshot(view?.state.logSeq ?? 0, segment) };
  }

  /** Null when the state of a remembered cut is given up: a later one, that indexes or fills vectors only, may hold the same rows. */
  async #kept(stream: LiveStream, segment: number, maxExpired: number): Promise<CachedCut | null> {
    const key = `${stream.definition.incarnation}/${segment}/${maxExpired}`;
    let cut = this.#cache.get(key);
    if (!cut) {
      cut = this.#build(stream, segment, maxExpired);
      this.#cache.set(key, cut);
      cut.catch(() => this.#cache.delete(key));
      if (this.#cache.size > this.#maxEntries) this.#cache.delete(this.#cache.keys().next().value!);
    }
    const built = await cut;
    if (built.view === null || (await stream.keeps(built.view))) return built;
    this.#cache.delete(key);
    return null;
  }

  async #build(stream: LiveStream, segment: number, maxExpired: number): Promise<CachedCut> {
    for (let last: number | null = null; ; ) {
      const view = await stream.viewAt(segment, maxExpired);
      const n = view?.state.n ?? 0;
      try {
        return await this.#buildFrom(stream, segment, view);
      } catch (error) {
        // The log may have been let go of meanwhile, because a newer state, that serves the instant as well, holds what was in it.
        if (!isTailwaterError(error, 'TW_HISTORY_EXPIRED') || n === last) throw error;
        last = n;
      }
    }
  }

  async #buildFrom(stream: LiveStream, segment: number, view: TableView | null): Promise<CachedCut> {
    const tail = new StreamTail(stream.definition);
    let expected = (view?.state.logSeq ?? 0) + 1;
    for await (const entry of this.#log.range(expected, segment)) {
      if (entry.seq !== expected) break;
      expected++;
      tail.append(entry);
    }
    if (expected <= segment) {
      throw new TailwaterError('TW_HISTORY_EXPIRED', {
        detail: `Segment ${expected} of the log is no longer kept, and no table state covers it at the requested instant.`,
      });
    }
    await this.#vectors.fill(tail, segment);
    const hides = view !== null && stream.definition.kind === 'upsert';
    return { view, shadowed: hides ? new ShadowedRows(stream.definition, view) : null, tail };
  }
}
