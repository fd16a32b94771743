import type { JsonValue } from '../../src/base/index.ts';
import { seededRandom, utf8 } from '../../src/base/index.ts';
import { type CreateOutcome, type Journal, ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import {
  type AppendRequest,
  type ControlRecord,
  LogShard,
  type LogShardOptions,
  type RecordHeader,
  type RecordSlab,
  recordAt,
  type Segment,
  type StreamDefinition,
} from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

/** A record as a test says it. */
export interface Given {
  key: Uint8Array | null;
  value: Uint8Array | null;
  timeMs: number;
  headers?: RecordHeader[];
  parsed?: JsonValue;
}

export function slabOf(records: readonly Given[]): RecordSlab {
  const chunks: Uint8Array[] = [];
  let at = 0;
  const put = (bytes: Uint8Array | null): [number, number] => {
    if (bytes === null) return [-1, -1];
    chunks.push(bytes);
    at += bytes.length;
    return [at - bytes.length, at];
  };
  const keys = records.map(record => put(record.key));
  const values = records.map(record => put(record.value));
  return {
    count: records.length,
    bytes: new Uint8Array(Buffer.concat(chunks)),
    keyStart: Int32Array.from(keys, range => range[0]),
    keyEnd: Int32Array.from(keys, range => range[1]),
    valueStart: Int32Array.from(values, range => range[0]),
    valueEnd: Int32Array.from(values, range => range[1]),
    timesMs: Float64Array.from(records, record => record.timeMs),
    ...(records.some(record => record.headers) ? { headers: records.map(record => record.headers ?? null) } : {}),
    ...(records.some(record => 'parsed' in record) ? { parsed: records.map(record => record.parsed ?? null) } : {}),
  };
}

/** Records whose values are these texts. */
export function texts(...values: string[]): RecordSlab {
  return slabOf(values.map(value => ({ key: null, value: utf8(value), timeMs: 1 })));
}

export function definitionOf(incarnation: string, partitions = 1): StreamDefinition {
  return {
    name: incarnation,
    incarnation,
    kind: 'append',
    key: null,
    time: null,
    schema: null,
    partitions,
    colocate: null,
    embed: null,
    search: null,
    table: { format: 'lance' },
    historyMs: null,
    retentionMs: null,
    createdAtMs: 0,
  };
}

export function creating(incarnation: string, partitions = 1): ControlRecord {
  return { kind: 'create', definition: definitionOf(incarnation, partitions) };
}

export function appendOf(incarnation: string, partition: number, ...values: string[]): AppendRequest {
  return { parts: [{ incarnation, partition, records: texts(...values) }] };
}

export function memoryJournal(): Journal {
  return new ObjectJournal(new MemoryObjectStore(), 'log');
}

export function openShard(journal: Journal, options: Partial<LogShardOptions> = {}): Promise<LogShard> {
  return LogShard.open({ journal, shard: 0, clock: new VirtualClock(), random: seededRandom(1), ...options });
}

/** Every record of a segment as `incarnation/partition@offset=value`. */
export function linesOf(segment: Segment): string[] {
  return segment.batches.flatMap(batch =>
    Array.from({ length: batch.batch.count }, (_, index) => {
      const record = recordAt(batch, index, segment);
      const value = record.value === null ? 'null' : Buffer.from(record.value).toString();
      return `${batch.incarnation}/${record.partition}@${record.offset}=${value}`;
    }),
  );
}

/** What a create of a journal does instead of working. */
export type Fault = 'lost-before' | 'lost-after' | 'fails';

/** A journal whose creates go wrong as told: the request is lost, or its reply is, or it certainly fails. */
export function withFaults(journal: Journal, next: () => Fault | null, error: () => Error): Journal {
  return {
    create: async (seq, bytes): Promise<CreateOutcome> => {
      const fault = next();
      if (fault === 'fails') throw error();
      if (fault === 'lost-before') return { kind: 'unknown', cause: 'request lost' };
      const outcome = await journal.create(seq, bytes);
      return fault === 'lost-after' ? { kind: 'unknown', cause: 'reply lost' } : outcome;
    },
    read: seq => journal.read(seq),
    floor: () => journal.floor(),
    raiseFloor: to => journal.raiseFloor(to),
    collect: () => journal.collect(),
    latestCheckpoint: () => journal.latestCheckpoint(),
    writeCheckpoint: checkpoint => journal.writeCheckpoint(checkpoint),
    close: () => journal.close(),
  };
}
