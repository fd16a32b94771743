import { type JsonValue, utf8 } from '../../src/base/index.ts';
import { encodeRecordBatch, type Segment, type SegmentBatch, type StreamDefinition } from '../../src/streams/index.ts';

/** A definition with defaults for what a test does not care about. */
export function streamDefinition(settings: Partial<StreamDefinition>): StreamDefinition {
  return {
    name: 'notes',
    incarnation: 'notes-1',
    kind: 'append',
    key: null,
    time: null,
    schema: null,
    partitions: 1,
    colocate: null,
    embed: null,
    search: null,
    table: { format: 'lance' },
    historyMs: null,
    retentionMs: null,
    createdAtMs: 0,
    ...settings,
  };
}

/** One record to be written; a value of null deletes the key. */
export interface Written {
  partition: number;
  key: string | null;
  value: JsonValue;
}

/** Writes segments as a log shard would: offsets count per partition, neighbours in a partition share a batch. */
export class SegmentWriter {
  readonly #incarnation: string;
  readonly #nextOffsets: number[] = [];
  #seq: number;

  constructor(incarnation = 'notes-1', firstSeq = 1) {
    this.#incarnation = incarnation;
    this.#seq = firstSeq;
  }

  write(records: readonly Written[], options: { parsed?: boolean } = {}): Segment {
    const seq = this.#seq++;
    const batches: SegmentBatch[] = [];
    for (let first = 0; first < records.length; ) {
      let end = first + 1;
      while (end < records.length && records[end].partition === records[first].partition) end++;
      batches.push(this.#batch(records.slice(first, end), first, options.parsed ?? false));
      first = end;
    }
    return { shard: 0, seq, writerId: 'w', writerSequence: seq, commitTimeMs: 1_000 + seq, controls: [], batches, byteLength: 0 };
  }

  #batch(records: readonly Written[], firstIndex: number, parsed: boolean): SegmentBatch {
    const { partition } = records[0];
    const baseOffset = this.#nextOffsets[partition] ?? 0;
    this.#nextOffsets[partition] = baseOffset + records.length;
    const batch = encodeRecordBatch(slabOf(records), baseOffset);
    const values = records.map(({ value }) => value);
    return { incarnation: this.#incarnation, partition, firstIndex, batch, ...(parsed ? { parsed: values } : {}) };
  }
}

function slabOf(records: readonly Written[]) {
  const parts: Uint8Array[] = [];
  let at = 0;
  const place = (bytes: Uint8Array | null): [number, number] => {
    if (bytes === null) return [-1, -1];
    parts.push(bytes);
    at += bytes.length;
    return [at - bytes.length, at];
  };
  const keys = records.map(({ key }) => place(key === null ? null : Buffer.from(key, 'latin1')));
  const values = records.map(({ value }) => place(value === null ? null : utf8(JSON.stringify(value))));
  return {
    count: records.length,
    bytes: Buffer.concat(parts),
    keyStart: Int32Array.from(keys, ([start]) => start),
    keyEnd: Int32Array.from(keys, ([, end]) => end),
    valueStart: Int32Array.from(values, ([start]) => start),
    valueEnd: Int32Array.from(values, ([, end]) => end),
    timesMs: Float64Array.from(records, (_, index) => 5_000 + index),
  };
}
