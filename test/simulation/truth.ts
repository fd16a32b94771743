import { AdditiveHash, equalBytes, fromUtf8 } from '../../src/base/index.ts';
import type { TableState } from '../../src/lakehouse/index.ts';
import { decodeSegment, recordAt, type Segment, type StreamDefinition } from '../../src/streams/index.ts';
import { type ModelRecord, modelRecord, StreamModel, textOf } from './stream-model.ts';
import { must } from './violation.ts';

/** What has been committed, seen at the very moment it is: the log, and every table state. */
export class Truth {
  /** Segment s at index s - 1. */
  readonly segments: { commitTimeMs: number; atMs: number; bytes: Uint8Array }[] = [];
  readonly streams = new Map<string, StreamModel>();
  readonly #states = new Map<string, TableState[]>();
  /** Where each written record is, by the mark that only it has. */
  readonly marks = new Map<string, { model: StreamModel; record: ModelRecord }>();
  logFloor = 1;
  /** Incarnations that the catalog has given up. */
  readonly dead = new Set<string>();
  readonly #stateFloors = new Map<string, number>();
  readonly nowMs: () => number;
  readonly #fail: (error: unknown) => void;
  readonly #onState: (model: StreamModel, state: TableState) => void;

  constructor(nowMs: () => number, fail: (error: unknown) => void, onState: (model: StreamModel, state: TableState) => void) {
    this.nowMs = nowMs;
    this.#fail = fail;
    this.#onState = onState;
  }

  /** What is seen while a node's code runs is no error of that code: it would be handled there. */
  witness(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#fail(error);
    }
  }

  get head(): number {
    return this.segments.length;
  }

  /** The head at an earlier moment of the simulation's time. */
  headAt(timeMs: number): number {
    return this.segments.findLastIndex(segment => segment.atMs <= timeMs) + 1;
  }

  commitTimeOf(segment: number): number {
    return segment === 0 ? 0 : this.segments[segment - 1].commitTimeMs;
  }

  streamOf(incarnation: string): StreamModel {
    const model = this.streams.get(incarnation);
    must(model !== undefined, 'a stream is created before it is used', () => incarnation);
    return model;
  }

  stateOf(incarnation: string, n: number): TableState | undefined {
    return this.#states.get(incarnation)?.[n - 1];
  }

  latestState(incarnation: string): TableState | undefined {
    return this.#states.get(incarnation)?.at(-1);
  }

  /** The newest state that holds nothing above the segment. */
  stateAt(incarnation: string, segment: number): TableState | undefined {
    return this.#states.get(incarnation)?.findLast(state => state.logSeq <= segment);
  }

  /** The oldest state that is kept; 0: all are. */
  stateFloorOf(incarnation: string): number {
    return this.#stateFloors.get(incarnation) ?? 0;
  }

  raiseStateFloor(incarnation: string, floor: number): void {
    this.#stateFloors.set(incarnation, Math.max(floor, this.stateFloorOf(incarnation)));
  }

  /** Entry `seq` of the log has been created. What is created under a number that is taken counts for nothing. */
  commitSegment(seq: number, bytes: Uint8Array): void {
    if (seq <= this.head) return;
    must(seq === this.head + 1, 'the log is dense', () => ({ seq, head: this.head }));
    const segment = decodeSegment(bytes.slice());
    const before = this.segments.at(-1)?.commitTimeMs ?? 0;
    must(segment.seq === seq && segment.commitTimeMs > before, 'commit times rise', () => ({ seq, before }));
    this.segments.push({ commitTimeMs: segment.commitTimeMs, atMs: this.nowMs(), bytes: bytes.slice() });
    for (const control of segment.controls) {
      if (control.kind === 'create') this.#begin(control.definition);
    }
    this.#addRecords(segment);
  }

  #begin(definition: StreamDefinition): void {
    const { name, incarnation } = definition;
    must(!this.streams.has(incarnation), 'a stream’s life begins once', () => ({ name, incarnation }));
    must(!this.dead.has(incarnation), 'a life that ended in the catalog does not begin in the log', () => ({
      name,
      incarnation,
    }));
    this.streams.set(incarnation, new StreamModel(definition));
  }

  /** Entry `n` of a table's states has been created. */
  commitState(incarnation: string, n: number, bytes: Uint8Array): void {
    const states = this.#states.get(incarnation) ?? [];
    this.#states.set(incarnation, states);
    if (n <= states.length) return;
    must(n === states.length + 1, 'table states are dense', () => ({ incarnation, n, newest: states.length }));
    const state = JSON.parse(fromUtf8(bytes)) as TableState;
    const model = this.streamOf(incarnation);
    // Of a deleted stream all states may be gone: a compactor that slept through it goes on from the one it remembers.
    const before = this.dead.has(incarnation) ? undefined : states.at(-1);
    checkState(model, before, state, this.head, this.commitTimeOf(Math.min(state.logSeq, this.head)));
    states.push(state);
    this.#onState(model, state);
  }

  /** What a reader finds under a number must be what was committed there. */
  checkEntry(seq: number, bytes: Uint8Array): void {
    const known = this.segments[seq - 1];
    must(known !== undefined && equalBytes(known.bytes, bytes), 'a committed entry never changes', () => ({
      seq,
      head: this.head,
    }));
  }

  #addRecords(segment: Segment): void {
    const batches = [...segment.batches].sort((a, b) => a.firstIndex - b.firstIndex);
    for (const batch of batches) {
      const model = this.streamOf(batch.incarnation);
      const fields = model.definition.search?.fields ?? model.definition.embed?.fields ?? [];
      for (let index = 0; index < batch.batch.count; index++) {
        const raw = recordAt(batch, index, segment);
        const record = modelRecord(raw, segment.seq, fields);
        model.add(record);
        const mark = record.value?.m ?? textOf(raw.headers.find(header => header.name === 'm')?.value ?? null);
        if (typeof mark !== 'string') continue;
        must(!this.marks.has(mark), 'a record is written once', () => ({ mark, again: record.seq }));
        this.marks.set(mark, { model, record });
      }
    }
  }
}

/** A table state accounts for exactly the records up to its position. */
function checkState(model: StreamModel, before: TableState | undefined, state: TableState, head: number, timeMs: number): void {
  const { logSeq, watermark, rowCount, changeCount } = state;
  const facts = (): object => ({ stream: model.definition.name, state: { ...state, schema: undefined }, head });
  must(logSeq <= head && logSeq >= (before?.logSeq ?? 0), 'a table follows the log', facts);
  must(state.logTimeMs === timeMs, 'a table knows the time of its position', facts);
  must(String(watermark) === String(model.headsAt(logSeq)), 'a watermark is the head at the table’s position', facts);
  const rows = model.winnersAt(logSeq);
  const all = model.records.slice(0, model.countAt(logSeq));
  must(rowCount === rows.length && changeCount === all.length - rows.length, 'a table counts its records', facts);
  const rowSet = new Set(rows);
  const changes = all.filter(record => !rowSet.has(record));
  must(state.rowsHash === hashOf(rows) && state.changesHash === hashOf(changes), 'a table accounts for every offset', facts);
}

function hashOf(records: readonly ModelRecord[]): string {
  const hash = new AdditiveHash();
  for (const { partition, offset } of records) hash.add(partition, offset);
  return hash.toString();
}
