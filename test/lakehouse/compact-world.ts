import { type JsonValue, utf8 } from '../../src/base/index.ts';
import type { StagedFacts, TableStaging, TableStore } from '../../src/lakehouse/index.ts';
import {
  encodeRecordBatch,
  type RecordSlab,
  recordAt,
  type Segment,
  type SegmentBatch,
  type StreamDefinition,
  type StreamRecord,
} from '../../src/streams/index.ts';

/** A record to write: a null value deletes the key. */
export interface Written {
  partition: number;
  key: string | null;
  value: JsonValue;
}

export function definitionOf(changes: Partial<StreamDefinition>): StreamDefinition {
  return {
    name: 'shop',
    incarnation: 'life',
    kind: 'append',
    key: null,
    time: null,
    schema: null,
    partitions: 2,
    colocate: null,
    embed: null,
    search: null,
    table: { format: 'lance' },
    historyMs: null,
    retentionMs: null,
    createdAtMs: 0,
    ...changes,
  };
}

const START_MS = 1_767_225_600_000;

/** A shard's log in memory: real batches, one stream beside foreign ones. */
export class MemoryLog {
  readonly segments: Segment[] = [];
  /** The floor. */
  lowest = 1;
  /** Every record of the stream, in log order. */
  readonly records: StreamRecord[] = [];
  readonly #definition: StreamDefinition;
  readonly #next: number[];

  constructor(definition: StreamDefinition) {
    this.#definition = definition;
    this.#next = Array.from({ length: definition.partitions }, () => 0);
  }

  get head(): number {
    return this.segments.length;
  }

  /** One segment; records of another stream come first in it, and its batches are listed last partition first. */
  append(written: readonly Written[], foreignRecords = 0): void {
    const seq = this.segments.length + 1;
    const batches: SegmentBatch[] = [];
    let firstIndex = foreignRecords;
    if (foreignRecords > 0) batches.push(this.#foreign(foreignRecords));
    for (let partition = 0; partition < this.#next.length; partition++) {
      const share = written.filter(record => record.partition === partition);
      if (share.length === 0) continue;
      const batch = encodeRecordBatch(slabOf(share, START_MS + seq), this.#next[partition]);
      batches.unshift({ incarnation: this.#definition.incarnation, partition, firstIndex, batch });
      firstIndex += share.length;
      this.#next[partition] += share.length;
    }
    const common = { shard: 0, writerId: 'w', writerSequence: seq, controls: [], byteLength: 1000 };
    const segment: Segment = { ...common, seq, commitTimeMs: START_MS + seq * 10, batches };
    this.segments.push(segment);
    this.records.push(...recordsOf(segment, this.#definition.incarnation));
  }

  async floor(): Promise<number> {
    return this.lowest;
  }

  async *range(fromSeq: number, throughSeq: number): AsyncIterable<Segment> {
    for (let seq = fromSeq; seq <= throughSeq; seq++) {
      await null;
      yield this.segments[seq - 1];
    }
  }

  #foreign(count: number): SegmentBatch {
    const written = Array.from({ length: count }, () => ({ partition: 0, key: 'k', value: 'not ours' }));
    return { incarnation: 'other', partition: 0, firstIndex: 0, batch: encodeRecordBatch(slabOf(written, START_MS), 0) };
  }
}

function recordsOf(segment: Segment, incarnation: string): StreamRecord[] {
  const records = segment.batches
    .filter(batch => batch.incarnation === incarnation)
    .flatMap(batch => Array.from({ length: batch.batch.count }, (_, index) => recordAt(batch, index, segment)));
  return records.sort((a, b) => a.seq - b.seq);
}

function slabOf(written: readonly Written[], timeMs: number): RecordSlab {
  const count = written.length;
  const slab = {
    count,
    keyStart: new Int32Array(count).fill(-1),
    keyEnd: new Int32Array(count).fill(-1),
    valueStart: new Int32Array(count).fill(-1),
    valueEnd: new Int32Array(count).fill(-1),
    timesMs: new Float64Array(count).fill(timeMs),
  };
  const parts: Uint8Array[] = [];
  let at = 0;
  const place = (bytes: Uint8Array, starts: Int32Array, ends: Int32Array, index: number): void => {
    parts.push(bytes);
    starts[index] = at;
    at += bytes.length;
    ends[index] = at;
  };
  for (const [index, { key, value }] of written.entries()) {
    if (key !== null) place(utf8(key), slab.keyStart, slab.keyEnd, index);
    if (value !== null) place(utf8(JSON.stringify(value)), slab.valueStart, slab.valueEnd, index);
  }
  return { ...slab, bytes: Buffer.concat(parts) };
}

/** Called around every step of a table store; it may wait, and it may throw. */
export type StepHook = (step: string, when: 'before' | 'after') => Promise<void>;

/** The same store, with the hook around `begin` and around every step of its stagings. */
export function withStepHook(tables: TableStore, hook: StepHook): TableStore {
  const around = async <T>(step: string, run: () => Promise<T>): Promise<T> => {
    await hook(step, 'before');
    const result = await run();
    await hook(step, 'after');
    return result;
  };
  const hooked = withStagings(tables, staging => ({
    evolve: schema => around('evolve', () => staging.evolve(schema)),
    append: rows => around('append', () => staging.append(rows)),
    takeKeys: (keys, belowSeq) => around('takeKeys', () => staging.takeKeys(keys, belowSeq)),
    appendChanges: changes => around('appendChanges', () => staging.appendChanges(changes)),
    remove: (rows, changes) => around('remove', () => staging.remove(rows, changes)),
    setVectors: (seqs, vectors) => around('setVectors', () => staging.setVectors(seqs, vectors)),
    optimize: options => around('optimize', () => staging.optimize(options)),
    verify: (...asked) => around('verify', () => staging.verify(...asked)),
  }));
  return { ...hooked, begin: (...begin) => around('begin', () => hooked.begin(...begin)) };
}

/** The same store, whose stagings report what `change` makes of their facts. */
export function withFacts(tables: TableStore, change: (facts: StagedFacts) => StagedFacts): TableStore {
  return withStagings(tables, staging => ({
    evolve: schema => staging.evolve(schema),
    append: rows => staging.append(rows),
    takeKeys: (keys, belowSeq) => staging.takeKeys(keys, belowSeq),
    appendChanges: changes => staging.appendChanges(changes),
    remove: (rows, changes) => staging.remove(rows, changes),
    setVectors: (seqs, vectors) => staging.setVectors(seqs, vectors),
    optimize: options => staging.optimize(options),
    verify: async (...asked) => change(await staging.verify(...asked)),
  }));
}

function withStagings(tables: TableStore, wrap: (staging: TableStaging) => TableStaging): TableStore {
  return {
    begin: async (...begin) => wrap(await tables.begin(...begin)),
    open: (...open) => tables.open(...open),
    prune: (...prune) => tables.prune(...prune),
    drop: incarnation => tables.drop(incarnation),
    incarnations: () => tables.incarnations(),
    close: () => tables.close(),
  };
}
