import { isTailwaterError } from '../../src/base/index.ts';
import type { LiveRecord } from '../../src/snapshot/index.ts';
import type { StreamDefinition } from '../../src/streams/index.ts';
import { isAllowedReadError } from './consistency.ts';
import { ProcessDied } from './life.ts';
import type { Operation } from './plan.ts';
import { fromOf, startOf } from './read-actors.ts';
import { isSame, place, type StreamModel } from './stream-model.ts';
import { must, Violation } from './violation.ts';
import { codeOf, describe, type World } from './world.ts';

type Follow = Extract<Operation, { kind: 'follow' }>;

const RETRY_MS = 300;
/** How often a stalled reader looks whether it may go on. */
const STALL_MS = 250;

/** A client that reads a stream live, stalls, loses its connection, and resumes elsewhere from the last token it saw. */
export class FollowActor {
  stalled = false;
  readonly #world: World;
  readonly #operation: Follow;
  readonly #model: StreamModel;
  /** The next offset of each partition; undefined until the first record says where `latest` was. */
  readonly #next: (number | undefined)[];
  #node: number;
  #last: string | undefined;
  #stop = new AbortController();
  #ended = false;

  constructor(world: World, operation: Follow) {
    this.#world = world;
    this.#operation = operation;
    this.#node = operation.node;
    this.#model = world.truth.streamOf(world.definition(operation.stream).incarnation);
    this.#next = this.#model.partitions.map(() => undefined);
  }

  /** Its connection breaks, and the next one goes to another node. */
  move(node: number): void {
    this.#node = node;
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  end(): void {
    this.#ended = true;
    this.#stop.abort();
  }

  async run(): Promise<void> {
    while (!this.#ended) {
      try {
        await this.#connection();
      } catch (error) {
        if (error instanceof Violation) throw error;
        // Its stream was deleted, or is new to that node.
        if (this.#isGone() && isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) return;
        const allowed = error instanceof ProcessDied || isAllowedReadError(this.#world, error, null);
        must(allowed, 'following goes on or says why not', () => describe(error));
        this.#world.note(`follower ${this.#operation.follower} ${codeOf(error)}`);
      }
      await this.#world.clock.sleep(RETRY_MS);
    }
  }

  #isGone(): boolean {
    return this.#world.recreated.has(this.#model.definition.name);
  }

  async #connection(): Promise<void> {
    const node = this.#world.pick(this.#node);
    if (node === null) return;
    const { signal } = this.#stop;
    const { partition } = this.#operation;
    const from = this.#last === undefined ? this.#from() : { kind: 'earliest' as const };
    const request = {
      from,
      signal,
      ...(partition !== null && { partition }),
      ...(this.#last !== undefined && { after: this.#last }),
    };
    const records = node.follower.follow(this.#definition(), request);
    while (!signal.aborted) {
      const { value, done } = await node.life.ask(() => records.next());
      if (done) return;
      // A connection that was broken delivers nothing any more.
      if (signal.aborted) return;
      this.#take(value);
      while (this.stalled && !this.#world.healed) await this.#world.clock.sleep(STALL_MS);
    }
  }

  #definition(): StreamDefinition {
    return this.#model.definition;
  }

  /** Until something has been seen, a lost connection starts anew: only `latest` means another place then. */
  #from(): ReturnType<typeof fromOf> {
    const { from, partition } = this.#operation;
    const start = fromOf(this.#world, this.#model, partition ?? 0, from);
    // An offset of one partition may lie beyond the head of another.
    const usable = start.kind === 'offset' ? ({ kind: 'earliest' } as const) : start;
    for (const at of this.#model.partitions.keys()) {
      const records = this.#model.partitions[at];
      if (usable.kind === 'earliest') this.#next[at] = 0;
      else if (usable.kind !== 'latest') this.#next[at] = undefined;
      if (usable.kind === 'commit-time' && records.some(record => record.ingestedAtMs >= usable.timeMs))
        this.#next[at] = startOf(records, usable);
    }
    return usable;
  }

  #take({ record, token }: LiveRecord): void {
    const expected = this.#next[record.partition];
    const facts = (): object => ({ follower: this.#operation.follower, at: place(record), expected });
    must(expected === undefined || record.offset === expected, 'a follower misses nothing and sees nothing twice', facts);
    const model = this.#model.partitions[record.partition][record.offset];
    must(model !== undefined && isSame(record, model), 'a follower sees the records as written', facts);
    this.#next[record.partition] = record.offset + 1;
    this.#last = token;
  }

  /** After everything has calmed down it has seen all there is. */
  check(): void {
    const { partition } = this.#operation;
    if (this.#isGone()) return;
    for (const [at, records] of this.#model.partitions.entries()) {
      const next = this.#next[at];
      if ((partition !== null && partition !== at) || next === undefined) continue;
      must(next === records.length, 'a follower gets to the head', () => ({
        ...this.#operation,
        partition: at,
        next,
        head: records.length,
      }));
    }
  }
}
