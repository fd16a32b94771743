import { asTailwaterError, isJsonObject, type JsonValue, TailwaterError, utf8 } from '../../base/index.ts';
import { BatchBuilder, type RecordBatchInput } from './batch-builder.ts';
import { tooDeep } from './exact-json.ts';
import { type Envelope, VALUE_TEXT } from './input.ts';
import type { AdmittedRecord, RecordRules } from './record-rules.ts';

const CLIP_CHARS = 2048;
const FIELDS = ['key', 'time', 'headers', 'value'];

/** Records as {key?, time?, headers?, value} objects; an error in their place rejects that one. */
export function encodeRecords(
  rules: RecordRules,
  records: readonly unknown[],
  nowMs: number,
  sticky: number,
): RecordBatchInput[] {
  const texts: Uint8Array[] = [];
  const builder = new BatchBuilder(rules.definition, new Uint8Array(0), sticky);
  const outcomes: ({ admitted: AdmittedRecord; start: number; end: number } | { error: unknown })[] = [];
  let at = 0;
  for (const record of records) {
    try {
      const { envelope, value, bytes } = openEnvelope(record);
      const admitted = rules.admit(envelope, value, () => Buffer.from(bytes).toString('utf8'), bytes.length, nowMs);
      if (admitted.value !== null) texts.push(bytes);
      outcomes.push({ admitted, start: at, end: admitted.value === null ? at : at + bytes.length });
      at += admitted.value === null ? 0 : bytes.length;
    } catch (error) {
      if (asTailwaterError(error).code === 'TW_INTERNAL') throw error;
      outcomes.push({ error });
    }
  }
  builder.values = Buffer.concat(texts);
  for (const [index, outcome] of outcomes.entries()) {
    if ('error' in outcome) builder.reject(letterOf(index, outcome.error, records[index]));
    else {
      const { admitted, start, end } = outcome;
      const deleted = admitted.value === null;
      builder.add({ ...admitted, parsed: admitted.value, valueStart: deleted ? -1 : start, valueEnd: deleted ? -1 : end });
    }
  }
  return builder.finish();
}

function openEnvelope(record: unknown): { envelope: Envelope; value: JsonValue | undefined; bytes: Uint8Array } {
  if (record instanceof TailwaterError) throw record;
  if (!isJsonObject(record))
    throw new TailwaterError('TW_SCHEMA_MISMATCH', { detail: 'A record must be an object with a `value`.' });
  const stranger = Object.keys(record).find(name => !FIELDS.includes(name));
  if (stranger !== undefined) {
    throw new TailwaterError('TW_SCHEMA_MISMATCH', {
      detail: `A record has no member "${stranger}"; it may have ${FIELDS.join(', ')}. Is the value itself meant? Put it under "value".`,
    });
  }
  const envelope = record as Envelope;
  return { envelope, value: record.value, bytes: utf8(envelope[VALUE_TEXT] ?? serialize(record.value)) };
}

function serialize(value: JsonValue | undefined): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep();
    throw new TailwaterError('TW_SCHEMA_MISMATCH', {
      detail: `The value cannot be written as JSON: ${(error as Error).message}.`,
    });
  }
}

function letterOf(index: number, error: unknown, record: unknown) {
  const { code, message } = asTailwaterError(error);
  return { index, code, message, record: clip(record) };
}

function clip(record: unknown): string {
  if (record instanceof Error) return '';
  try {
    return (JSON.stringify(record) ?? '').slice(0, CLIP_CHARS);
  } catch {
    return String(record).slice(0, CLIP_CHARS);
  }
}
