import type { JsonValue } from '../../base/index.ts';
import {
  type AppendPart,
  MAX_SEGMENT_RECORDS,
  partitionOfKey,
  type RecordHeader,
  type StreamDefinition,
} from '../../streams/index.ts';
import type { Rejection } from './input.ts';

/** Value, key and header bytes of one batch: safely below the log's segment limit, whatever the overhead of records. */
const MAX_BATCH_BYTES = 3 * 1024 * 1024;
const MAX_BATCH_RECORDS = MAX_SEGMENT_RECORDS / 2;

/** A message may quote what a client sent, and is kept and answered with up to a hundred others. */
const MAX_MESSAGE_CHARS = 400;
/** JSON writes a control character as six. */
const MAX_BYTES_PER_CHAR = 6;
const LETTER_OVERHEAD_BYTES = 512;

/** A rejected record on its way to the dead-letter stream. */
export interface DeadLetter extends Rejection {
  /** The record as it came, clipped. */
  record: string;
}

/** What fits one segment: accepted records by partition, and what was rejected among them. */
export interface RecordBatchInput {
  parts: AppendPart[];
  accepted: number;
  rejected: DeadLetter[];
}

interface Row {
  key: Uint8Array | null;
  valueStart: number;
  valueEnd: number;
  timeMs: number;
  headers: RecordHeader[] | null;
  parsed: JsonValue;
}

/**
 * Gathers records over one buffer of values into batches that fit a segment. Values stay where they are; keys are put behind them. Keyless
 * records of a stream with several partitions go to one partition per batch, as Kafka's sticky partitioner does.
 */
export class BatchBuilder {
  readonly #definition: StreamDefinition;
  readonly #keepParsed: boolean;
  readonly #batches: RecordBatchInput[] = [];
  #values: Uint8Array;
  #rows: Row[] = [];
  #rejected: DeadLetter[] = [];
  #bytes = 0;
  #sticky: number;

  /** `values`: the buffer that `add` points into; `sticky`: where keyless records of the first batch go. */
  constructor(definition: StreamDefinition, values: Uint8Array, sticky: number) {
    this.#definition = definition;
    this.#values = values;
    this.#sticky = sticky;
    this.#keepParsed = definition.search !== null || definition.embed !== null;
  }

  /** For values that were not there at the start: puts the buffer they end up in. */
  set values(values: Uint8Array) {
    this.#values = values;
  }

  /** `valueStart` -1: a deletion. */
  add(row: Row): void {
    const headerBytes = row.headers?.reduce((sum, { name, value }) => sum + name.length * 3 + (value?.length ?? 0), 0) ?? 0;
    const bytes = row.valueEnd - row.valueStart + (row.key?.length ?? 0) + headerBytes;
    if (this.#bytes + bytes > MAX_BATCH_BYTES || this.#size() >= MAX_BATCH_RECORDS) this.#cut();
    this.#bytes += bytes;
    if (!this.#keepParsed) row.parsed = null;
    this.#rows.push(row);
  }

  reject(rejected: DeadLetter): void {
    const letter = { ...rejected, message: clipped(rejected.message) };
    const bytes = (letter.record.length + letter.message.length) * MAX_BYTES_PER_CHAR + LETTER_OVERHEAD_BYTES;
    if (this.#bytes + bytes > MAX_BATCH_BYTES || this.#size() >= MAX_BATCH_RECORDS) this.#cut();
    this.#bytes += bytes;
    this.#rejected.push(letter);
  }

  finish(): RecordBatchInput[] {
    if (this.#size() > 0) this.#cut();
    return this.#batches;
  }

  #size(): number {
    return this.#rows.length + this.#rejected.length;
  }

  #cut(): void {
    const parts = this.#definition.partitions === 1 ? this.#onePart() : this.#manyParts();
    this.#batches.push({ parts, accepted: this.#rows.length, rejected: this.#rejected });
    this.#rows = [];
    this.#rejected = [];
    this.#bytes = 0;
    this.#sticky++;
  }

  #onePart(): AppendPart[] {
    return this.#rows.length === 0 ? [] : [this.#part(0, this.#rows)];
  }

  #manyParts(): AppendPart[] {
    const { partitions } = this.#definition;
    const byPartition = Map.groupBy(this.#rows, row =>
      row.key === null ? this.#sticky % partitions : partitionOfKey(row.key, partitions),
    );
    return [...byPartition].sort(([a], [b]) => a - b).map(([partition, rows]) => this.#part(partition, rows));
  }

  #part(partition: number, rows: Row[]): AppendPart {
    const count = rows.length;
    const records = {
      count,
      bytes: this.#values,
      keyStart: new Int32Array(count).fill(-1),
      keyEnd: new Int32Array(count).fill(-1),
      valueStart: new Int32Array(count),
      valueEnd: new Int32Array(count),
      timesMs: new Float64Array(count),
      ...(rows.some(row => row.headers !== null) ? { headers: rows.map(row => row.headers) } : {}),
      ...(this.#keepParsed ? { parsed: rows.map(row => row.parsed) } : {}),
    };
    for (const [index, row] of rows.entries()) {
      records.valueStart[index] = row.valueStart;
      records.valueEnd[index] = row.valueEnd;
      records.timesMs[index] = row.timeMs;
    }
    if (rows.some(row => row.key !== null)) records.bytes = withKeys(records, rows);
    return { incarnation: this.#definition.incarnation, partition, records };
  }
}

function clipped(message: string): string {
  return message.length <= MAX_MESSAGE_CHARS ? message : `${message.slice(0, MAX_MESSAGE_CHARS - 1)}…`;
}

/** The values of these rows, then their keys, in one buffer; positions follow. */
function withKeys(
  records: { keyStart: Int32Array; keyEnd: Int32Array; valueStart: Int32Array; valueEnd: Int32Array; bytes: Uint8Array },
  rows: Row[],
): Uint8Array {
  const size = rows.reduce(
    (sum, row) => sum + (row.valueStart < 0 ? 0 : row.valueEnd - row.valueStart) + (row.key?.length ?? 0),
    0,
  );
  const bytes = new Uint8Array(size);
  let at = 0;
  const put = (source: Uint8Array): [number, number] => {
    bytes.set(source, at);
    at += source.length;
    return [at - source.length, at];
  };
  for (const [index, row] of rows.entries()) {
    if (row.valueStart >= 0) {
      [records.valueStart[index], records.valueEnd[index]] = put(records.bytes.subarray(row.valueStart, row.valueEnd));
    }
    if (row.key !== null) [records.keyStart[index], records.keyEnd[index]] = put(row.key);
  }
  return bytes;
}
