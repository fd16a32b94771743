import { isUtf8 } from 'node:buffer';
import { asTailwaterError, isJsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import { BatchBuilder, type RecordBatchInput } from './batch-builder.ts';
import { encodeRecords } from './encode-records.ts';
import { mayHoldLongNumbers, parseExactly } from './exact-json.ts';
import { type Envelope, VALUE_TEXT } from './input.ts';
import type { RecordRules } from './record-rules.ts';

const NEWLINE = 0x0a;
const CLIP_BYTES = 2048;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const NO_ENVELOPE: Envelope = {};

interface Line {
  start: number;
  end: number;
}

/** A value a line. Blank lines are skipped and have no index; a value's bytes are the line's own, without surrounding white space. */
export function encodeNdjson(rules: RecordRules, body: Uint8Array, nowMs: number, sticky: number): RecordBatchInput[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const valid = isUtf8(bytes);
  const builder = new BatchBuilder(rules.definition, body, sticky);
  let index = 0;
  for (const { start, end } of linesOf(bytes)) {
    let text: string | null = null;
    try {
      if (!valid && !isUtf8(bytes.subarray(start, end))) throw notUtf8();
      text = bytes.toString('utf8', start, end);
      const admitted = rules.admit(NO_ENVELOPE, parseLine(text), () => text!, end - start, nowMs);
      const deleted = admitted.value === null;
      builder.add({ ...admitted, parsed: admitted.value, valueStart: deleted ? -1 : start, valueEnd: deleted ? -1 : end });
    } catch (error) {
      const { code, message } = asTailwaterError(error);
      if (code === 'TW_INTERNAL') throw error;
      builder.reject({ index, code, message, record: bytes.toString('utf8', start, Math.min(end, start + CLIP_BYTES)) });
    }
    index++;
  }
  return builder.finish();
}

/** A {key, time, headers, value} a line. */
export function encodeEnvelopes(rules: RecordRules, body: Uint8Array, nowMs: number, sticky: number): RecordBatchInput[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const records: unknown[] = [];
  for (const { start, end } of linesOf(bytes)) records.push(parseEnvelope(bytes.subarray(start, end)));
  return encodeRecords(rules, records, nowMs, sticky);
}

/** A line that is no JSON stays in its place, to be rejected there. */
function parseEnvelope(line: Buffer): unknown {
  if (!isUtf8(line)) return notUtf8();
  const text = line.toString('utf8');
  try {
    const record: unknown = parseLine(text);
    if (isJsonObject(record) && mayHoldLongNumbers(text)) {
      const exact = parseExactly(text) as Envelope;
      Object.assign(record, { [VALUE_TEXT]: JSON.stringify(exact.value) });
    }
    return record;
  } catch (error) {
    return error;
  }
}

function* linesOf(bytes: Buffer): Generator<Line> {
  let at = BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? BYTE_ORDER_MARK.length : 0;
  while (at < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, at);
    const next = newline < 0 ? bytes.length : newline;
    let start = at;
    let end = next;
    while (start < end && isSpace(bytes[start])) start++;
    while (end > start && isSpace(bytes[end - 1])) end--;
    if (end > start) yield { start, end };
    at = next + 1;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

function parseLine(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new TailwaterError('TW_MALFORMED_JSON', { detail: `The line is not JSON: ${(error as Error).message}.` });
  }
}

function notUtf8(): TailwaterError {
  return new TailwaterError('TW_MALFORMED_JSON', { detail: 'The line is not valid UTF-8.' });
}
