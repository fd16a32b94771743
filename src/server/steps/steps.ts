import { createHash } from 'node:crypto';
import { type Clock, isTailwaterError, type JsonValue, utf8 } from '../../base/index.ts';
import type { AtomicReceipt, AtomicWrite, Envelope } from '../../ingest/index.ts';
import { type Consistency, headsOf, lookupRow, type Pinned, tokenOf } from '../../snapshot/index.ts';
import { encodeToken, type StreamDefinition } from '../../streams/index.ts';
import type { PositionAnswer, StepAnswer, StepPlace, StepRequest, StepsApi } from '../steps-api.ts';
import { checkConsumer, checkInput, checkPartition, planStep } from './plan-step.ts';

export interface StepsOptions {
  /** TW_STREAM_NOT_FOUND. */
  find(name: string): Promise<StreamDefinition>;
  /** The internal upsert stream of positions. */
  positions(): Promise<StreamDefinition>;
  pin(definition: StreamDefinition, consistency?: Consistency): Promise<Pinned>;
  /** All of it in one segment or nothing. */
  append(
    writes: readonly AtomicWrite[],
    how: { guard: { name: string; afterSeq: number }; idempotency: { key: string; fingerprint: string; answer: JsonValue } },
  ): Promise<AtomicReceipt>;
  clock: Clock;
}

interface Standing {
  position: number;
  result: JsonValue;
  pinned: Pinned;
}

/**
 * Steps of consumers. The position is a row of its own, in the segment of the outputs; of those that were decided on one position, the log admits
 * one, and the others are decided again and find it done. The row stays for as long as the stream does, so a repetition is known however late.
 */
export class Steps implements StepsApi {
  readonly #options: StepsOptions;

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  async step({ consumer, input, outputs = [], result = null }: StepRequest): Promise<StepAnswer> {
    checkConsumer(consumer);
    const { find, pin, positions, clock } = this.#options;
    const source = await find(input.stream);
    const heads = headsOf(await pin(source, { strong: true }));
    const { partition, from, offset } = checkInput(input, { partitions: heads.length, head: at => heads[at] });
    const key = keyOf(consumer, source, partition);
    const writes: AtomicWrite[] = [];
    for (const { stream, records } of outputs) {
      if (records.length > 0) writes.push({ definition: await find(stream), records: records as readonly Envelope[] });
    }
    const definition = await positions();
    for (;;) {
      const standing = await this.#standing(definition, key);
      if (planStep(standing.position, { from, offset }) === 'done') return this.#done(standing, key, offset);
      const at = new Date(clock.nowMs()).toISOString();
      const value = { consumer, stream: source.name, incarnation: source.incarnation, partition, offset, result, at };
      const receipt = await this.#append([...writes, { definition, records: [{ key, value }] }], standing, key, offset, result);
      if (receipt === null) continue;
      const token = encodeToken(receipt.position);
      if (!receipt.duplicate) return { applied: true, position: offset, result, token };
    }
  }

  async stepPosition({ consumer, stream, partition }: StepPlace): Promise<PositionAnswer> {
    checkConsumer(consumer);
    const source = await this.#options.find(stream);
    const key = keyOf(consumer, source, checkPartition(partition, source.partitions));
    const { position, result, pinned } = await this.#standing(await this.#options.positions(), key);
    return { position, result, token: tokenOf(pinned) };
  }

  async #standing(definition: StreamDefinition, key: string): Promise<Standing> {
    const pinned = await this.#options.pin(definition, { strong: true });
    const row = await lookupRow(pinned, utf8(key));
    if (row === null) return { position: -1, result: null, pinned };
    const { offset, result } = JSON.parse(Buffer.from(row.record.value!).toString());
    return { position: offset, result, pinned };
  }

  /** Null: another step came first. */
  async #append(
    writes: readonly AtomicWrite[],
    { pinned }: Standing,
    key: string,
    offset: number,
    result: JsonValue,
  ): Promise<AtomicReceipt | null> {
    // No fingerprint: two workers that answer one input in different words are still of one input.
    const idempotency = { key: `\u0000${nameOf(pinned, key)}:${offset}`, fingerprint: '', answer: result };
    try {
      return await this.#options.append(writes, {
        guard: { name: nameOf(pinned, key), afterSeq: pinned.throughSegment },
        idempotency,
      });
    } catch (error) {
      if (isTailwaterError(error, 'TW_VERSION_MISMATCH')) return null;
      throw error;
    }
  }

  async #done({ position, result, pinned }: Standing, key: string, offset: number): Promise<StepAnswer> {
    const answer = { applied: false, position, token: tokenOf(pinned) };
    if (offset === position) return { ...answer, result };
    // Asks the log for what it remembers of that step: a guard from before the log admits nothing.
    const asked = { pinned: { ...pinned, throughSegment: -1 }, position, result };
    const earlier = await this.#append([], asked, key, offset, null);
    return { ...answer, result: earlier?.answer ?? null };
  }
}

/** A stream that is made anew under the name of another is another one. */
function keyOf(consumer: string, { incarnation }: StreamDefinition, partition: number): string {
  return JSON.stringify([consumer.toWellFormed(), incarnation, partition]);
}

/** What the log knows a consumer's position by; with a NUL before it, it is no client's idempotency key. */
function nameOf({ definition }: Pinned, key: string): string {
  return `step:${createHash('sha256')
    .update(definition.incarnation + key)
    .digest('base64url')}`;
}
