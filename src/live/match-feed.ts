import { TailwaterError } from '../base/index.ts';
import type { Follower, LiveRecord } from '../snapshot/index.ts';
import { decodeToken, encodeToken, type StreamDefinition, type StreamRecord } from '../streams/index.ts';
import { Candidate, type Matcher } from './record-matcher.ts';

/** A record that matches, and the position right after it. */
export interface LiveMatch {
  record: StreamRecord;
  token: string;
}

export interface Waiting extends LiveMatch {
  /** Per partition, the next offset after it. */
  next: readonly number[];
}

/** What waits for a reader that is slow; beyond, it reads the stream itself from where it was. */
const MAX_WAITING = 1000;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** One who waits for matches. */
export class MatchQueue {
  readonly #matcher: Matcher;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #wake: (() => void) | null = null;
  /** Something was not kept. */
  overflowed = false;

  constructor(matcher: Matcher) {
    this.#matcher = matcher;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** `next` is made only for what matches. */
  offer(candidate: Candidate, token: string, next: () => readonly number[]): void {
    if (this.overflowed || !this.#matcher(candidate)) return;
    const { record } = candidate;
    this.#bytes += record.value?.length ?? 0;
    this.#waiting.push({ record, token, next: next() });
    if (this.#waiting.length > MAX_WAITING || this.#bytes > MAX_WAITING_BYTES) {
      this.overflowed = true;
      this.#waiting = [];
      this.#bytes = 0;
    }
    this.wake();
  }

  take(): Waiting | undefined {
    const first = this.#waiting.shift();
    this.#bytes -= first?.record.value?.length ?? 0;
    return first;
  }

  wake(): void {
    this.#wake?.();
    this.#wake = null;
  }

  /** Until something was offered or the feed ended. */
  changed(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve;
    });
  }
}

/** The new records of a stream, read once for all standing queries on it. */
export class MatchFeed {
  readonly #definition: StreamDefinition;
  readonly #follower: Follower;
  readonly #queues = new Set<MatchQueue>();
  readonly #stop = new AbortController();
  /** Where it has read to, per partition: the next offset. */
  #next: number[] = [];
  /** Resolves once `attach` may be called. */
  readonly started: Promise<void>;
  #failure: { error: unknown } | null = null;
  #users = 0;

  constructor(definition: StreamDefinition, follower: Follower) {
    this.#definition = definition;
    this.#follower = follower;
    this.started = this.#start();
    // Whoever waits for it is told; nobody may.
    this.started.catch(() => {});
  }

  /** Who has joined and not left, also before `attach`. */
  get users(): number {
    return this.#users;
  }

  get failed(): boolean {
    return this.#failure !== null;
  }

  /** Throws what ended the feed. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  join(): this {
    this.#users++;
    return this;
  }

  /** From now on the queue is offered every record at or beyond the position that is returned. */
  attach(queue: MatchQueue): readonly number[] {
    this.check();
    this.#queues.add(queue);
    return [...this.#next];
  }

  /** Who leaves last ends it. */
  leave(queue: MatchQueue): void {
    this.#queues.delete(queue);
    this.#users--;
    if (this.#users === 0) this.#stop.abort();
  }

  async #start(): Promise<void> {
    try {
      const token = await this.#follower.position(this.#definition, { kind: 'latest' });
      this.#next = nextOf(this.#definition, token);
      const request = { from: { kind: 'latest' } as const, after: token, signal: this.#stop.signal };
      void this.#run(this.#follower.follow(this.#definition, request));
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  async #run(records: AsyncIterable<LiveRecord>): Promise<void> {
    try {
      for await (const { record, token } of records) {
        this.#next[record.partition] = record.offset + 1;
        const candidate = new Candidate(this.#definition, record);
        let copy: readonly number[] | null = null;
        const next = (): readonly number[] => {
          copy ??= [...this.#next];
          return copy;
        };
        for (const queue of this.#queues) queue.offer(candidate, token, next);
      }
    } catch (error) {
      this.#failure = { error };
    }
    for (const queue of this.#queues) queue.wake();
  }
}

/** The offsets that follow the position of a token. Throws TW_BAD_TOKEN. */
export function nextOf(definition: StreamDefinition, token: string): number[] {
  const heads = decodeToken(token).streams.find(({ incarnation }) => incarnation === definition.incarnation)?.heads;
  if (heads === undefined || heads.length > definition.partitions) {
    throw new TailwaterError('TW_BAD_TOKEN', { detail: `The token does not name stream "${definition.name}" as it is now.` });
  }
  return Array.from({ length: definition.partitions }, (_, partition) => (heads[partition] ?? -1) + 1);
}

/** A token with these offsets as the next ones. */
export function withNext(definition: StreamDefinition, token: string, next: readonly number[]): string {
  const position = decodeToken(token);
  for (const stream of position.streams) {
    if (stream.incarnation === definition.incarnation) stream.heads = next.map(offset => offset - 1);
  }
  return encodeToken(position);
}
