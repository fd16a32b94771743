import type { JsonObject } from '../../src/base/index.ts';
import type { StreamDefinition, StreamRecord } from '../../src/streams/index.ts';
import { must } from './violation.ts';

/** A committed record, as the simulation knows it. */
export interface ModelRecord {
  seq: number;
  segment: number;
  partition: number;
  offset: number;
  /** UTF-8; null without a key. */
  key: string | null;
  /** The JSON text; null: a deletion. */
  text: string | null;
  value: JsonObject | null;
  timeMs: number;
  ingestedAtMs: number;
  words: string[];
}

/** One stream life, as a list of records in log order; every state of it is a fold over a prefix. */
export class StreamModel {
  readonly definition: StreamDefinition;
  readonly records: ModelRecord[] = [];
  readonly partitions: ModelRecord[][];
  readonly #winners = new Map<number, ModelRecord[]>();

  constructor(definition: StreamDefinition) {
    this.definition = definition;
    this.partitions = Array.from({ length: definition.partitions }, () => []);
  }

  add(record: ModelRecord): void {
    const offsets = this.partitions[record.partition];
    must(record.offset === offsets.length, 'offsets are dense', () => ({ record, expected: offsets.length }));
    offsets.push(record);
    this.records.push(record);
  }

  /** How many records had been committed by this segment. */
  countAt(segment: number): number {
    let low = 0;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.records[middle].segment <= segment) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  headsAt(segment: number): number[] {
    return this.partitions.map(records => records.findLastIndex(record => record.segment <= segment));
  }

  /** The rows at this segment, in log order: every record of an append stream, the newest of each living key of an upsert stream. */
  winnersAt(segment: number): ModelRecord[] {
    const known = this.#winners.get(segment);
    if (known) return known;
    const prefix = this.records.slice(0, this.countAt(segment));
    let winners = prefix;
    if (this.definition.kind === 'upsert') {
      const newest = new Map<string, ModelRecord>();
      for (const record of prefix) newest.set(record.key!, record);
      winners = prefix.filter(record => record.value !== null && newest.get(record.key!) === record);
    }
    this.#winners.set(segment, winners);
    return winners;
  }
}

const decoder = new TextDecoder();

export function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : decoder.decode(bytes);
}

export function modelRecord(record: StreamRecord, segment: number, textFields: readonly string[]): ModelRecord {
  const text = textOf(record.value);
  const value = text === null ? null : (JSON.parse(text) as JsonObject);
  const searched = textFields.map(field => value?.[field]).filter(found => typeof found === 'string');
  const { seq, partition, offset, timeMs, ingestedAtMs } = record;
  const words = searched
    .join(' ')
    .split(' ')
    .filter(word => word !== '');
  return { seq, segment, partition, offset, key: textOf(record.key), text, value, timeMs, ingestedAtMs, words };
}

/** Whether a reader got exactly this record. */
export function isSame(found: StreamRecord, model: ModelRecord): boolean {
  return (
    found.seq === model.seq &&
    found.partition === model.partition &&
    found.offset === model.offset &&
    found.timeMs === model.timeMs &&
    found.ingestedAtMs === model.ingestedAtMs &&
    textOf(found.key) === model.key &&
    textOf(found.value) === model.text
  );
}

export function place(record: { partition: number; offset: number }): string {
  return `${record.partition}:${record.offset}`;
}
