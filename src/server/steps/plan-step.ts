import { TailwaterError } from '../../base/index.ts';

const MAX_CONSUMER_CHARS = 200;

export interface CheckedInput {
  partition: number;
  from: number;
  offset: number;
}

/** Throws TW_BAD_REQUEST. */
export function checkConsumer(consumer: unknown): void {
  if (typeof consumer === 'string' && consumer.length >= 1 && consumer.length <= MAX_CONSUMER_CHARS) return;
  throw bad('consumer', `must be a text of 1 to ${MAX_CONSUMER_CHARS} characters`);
}

/** Throws TW_BAD_REQUEST. */
export function checkPartition(partition: unknown, partitions: number): number {
  const given = partition ?? 0;
  if (isOffset(given) && given < partitions) return given;
  throw bad('partition', `must be 0 to ${partitions - 1}`);
}

/** Throws TW_BAD_REQUEST. */
export function checkInput(
  input: { partition?: number; from?: number; offset: number },
  { partitions, head }: { partitions: number; head: (partition: number) => number },
): CheckedInput {
  const partition = checkPartition(input.partition, partitions);
  const { offset, from = offset } = input;
  if (!isOffset(offset) || !isOffset(from) || from > offset) {
    throw bad('input', 'must name offsets: integers from 0 on, `from` not above `offset`');
  }
  if (offset > head(partition)) throw bad('input.offset', `is ${offset}, and the last record has offset ${head(partition)}`);
  return { partition, from, offset };
}

/**
 * What the step is to a consumer that stands at `position`: the next one, or one that was done. Pure. Offsets are dense, so a step that begins
 * elsewhere would leave out inputs, or work through some twice: TW_OUT_OF_ORDER_SEQUENCE, TW_VERSION_MISMATCH.
 */
export function planStep(position: number, { from, offset }: Pick<CheckedInput, 'from' | 'offset'>): 'apply' | 'done' {
  if (offset <= position) return 'done';
  if (from === position + 1) return 'apply';
  const detail = `The consumer has worked through offset ${position}; the step is of ${from} to ${offset}.`;
  const data = { position };
  if (from > position) throw new TailwaterError('TW_OUT_OF_ORDER_SEQUENCE', { detail, data });
  throw new TailwaterError('TW_VERSION_MISMATCH', { detail, data });
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function bad(field: string, reason: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `"${field}" ${reason}.`, data: { field } });
}
