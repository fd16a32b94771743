import { TailwaterError } from '../../base/index.ts';
import { type AppendPart, type AppendRequest, MAX_SEGMENT_RECORDS } from '../segment-types.ts';

const MAX_KEY_LENGTH = 512;
const MAX_ANSWER_LENGTH = 64 * 1024;
/** At most: a record's length, attributes, two deltas, two lengths and header count; a batch's header and index entry; a segment's ends. */
const RECORD_OVERHEAD_BYTES = 32;
const HEADER_OVERHEAD_BYTES = 10;
const PART_OVERHEAD_BYTES = 256;
const REQUEST_OVERHEAD_BYTES = 256;
/** A UTF-16 unit is at most three bytes of UTF-8. */
const UTF8_PER_UNIT = 3;

export interface RequestSize {
  records: number;
  /** An upper bound of what the request adds to a segment. */
  bytes: number;
}

/** Checks all of a request that needs no state, and measures it. TW_BAD_REQUEST, TW_BODY_TOO_LARGE. */
export function measureAppend(request: AppendRequest, maxSegmentBytes: number): RequestSize {
  const size = { records: 0, bytes: REQUEST_OVERHEAD_BYTES };
  for (const part of request.parts) {
    if (part.records.count < 1) throw badRequest('A part of an append has no records.');
    size.records += part.records.count;
    size.bytes += partBytes(part);
  }
  if (request.producer !== undefined) checkProducerRequest(request);
  if (request.idempotency !== undefined) size.bytes += idempotencyBytes(request.idempotency, request.parts.length);
  if (request.guard !== undefined) {
    const { name } = request.guard;
    if (name.length < 1 || name.length > MAX_KEY_LENGTH)
      throw badRequest(`A guard has a name of 1-${MAX_KEY_LENGTH} characters.`);
    size.bytes += name.length * UTF8_PER_UNIT + RECORD_OVERHEAD_BYTES;
  }
  if (size.records > MAX_SEGMENT_RECORDS || size.bytes > maxSegmentBytes) {
    throw new TailwaterError('TW_BODY_TOO_LARGE', {
      detail: `One append has ${size.records} records in up to ${size.bytes} bytes; at most ${MAX_SEGMENT_RECORDS} in ${maxSegmentBytes} fit.`,
      data: { maxRecords: MAX_SEGMENT_RECORDS, maxBytes: maxSegmentBytes },
    });
  }
  return size;
}

function partBytes({ records }: AppendPart): number {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd, timesMs, headers, count } = records;
  let size = PART_OVERHEAD_BYTES + count * RECORD_OVERHEAD_BYTES;
  for (let index = 0; index < count; index++) {
    if (!Number.isSafeInteger(timesMs[index])) throw badRequest(`The time of record ${index} is not an integer of milliseconds.`);
    size +=
      rangeBytes(keyStart[index], keyEnd[index], bytes.length) + rangeBytes(valueStart[index], valueEnd[index], bytes.length);
  }
  for (const list of headers ?? []) {
    for (const { name, value } of list ?? []) size += HEADER_OVERHEAD_BYTES + name.length * UTF8_PER_UNIT + (value?.length ?? 0);
  }
  return size;
}

function rangeBytes(start: number, end: number, limit: number): number {
  if (start < 0) return 0;
  if (end < start || end > limit) throw badRequest(`A record’s bytes [${start}, ${end}) lie outside its buffer.`);
  return end - start;
}

function idempotencyBytes({ key, fingerprint, answer }: NonNullable<AppendRequest['idempotency']>, parts: number): number {
  if (key.length < 1 || key.length > MAX_KEY_LENGTH || fingerprint.length > MAX_KEY_LENGTH) {
    throw badRequest(`An idempotency key has 1-${MAX_KEY_LENGTH} characters.`);
  }
  const answerLength = JSON.stringify(answer).length;
  if (answerLength > MAX_ANSWER_LENGTH) {
    throw new TailwaterError('TW_BODY_TOO_LARGE', {
      detail: `The answer kept with an idempotency key has ${answerLength} characters.`,
    });
  }
  return (key.length + fingerprint.length + answerLength) * UTF8_PER_UNIT + parts * RECORD_OVERHEAD_BYTES;
}

function checkProducerRequest({ parts, producer }: AppendRequest): void {
  if (parts.length !== 1) throw badRequest('An append of an idempotent producer has exactly one part.');
  const { id, epoch, sequence } = producer!;
  const valid = Number.isSafeInteger(id) && id >= 0 && isBelow(epoch, 0x8000) && isBelow(sequence, 0x8000_0000);
  if (!valid) throw badRequest('A producer has a 63-bit id, a 15-bit epoch and a 31-bit sequence.');
}

function isBelow(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < limit;
}

function badRequest(detail: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail });
}
