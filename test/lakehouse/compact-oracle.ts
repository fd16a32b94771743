import fc from 'fast-check';
import { expect } from 'vitest';
import { AdditiveHash, type Clock, type JsonValue, type Random, seededRandom, TailwaterError } from '../../src/base/index.ts';
import {
  type CompactionContext,
  compactStream,
  type MaintainOptions,
  maintainTable,
  type TableState,
  TableStates,
  TableStatistics,
  type TableStore,
} from '../../src/lakehouse/index.ts';
import { MemoryObjectStore, type ObjectStore } from '../../src/storage/index.ts';
import { analyze, type StreamDefinition, type StreamRecord, searchText } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { type PutFate, withPutFates } from './compact-support.ts';
import { definitionOf, MemoryLog, type StepHook, type Written, withStepHook } from './compact-world.ts';

export const UPSERT = definitionOf({
  kind: 'upsert',
  key: ['id'],
  search: { fields: ['text'] },
  embed: { fields: ['text'], provider: 'hash', model: 'hash-v1', dimensions: 4 },
});
export const APPEND = definitionOf({ kind: 'append', search: { fields: ['text'] } });

const KEYS = ['a', 'b', 'c', 'd', 'e', 'ключ'];
const WORDS = ['harbour', 'tide', 'vessel', 'anchor', 'the', 'storm'];

const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 5 }).map(words => words.join(' '));
const field = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ noNaN: true }), fc.constantFrom('x', true, null));
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ text, price: field }, { requiredKeys: [] }) },
  { weight: 1, arbitrary: fc.record({ text, other: field, nested: fc.record({ deep: field }) }) },
);
const record: fc.Arbitrary<Written> = fc.record({
  partition: fc.nat({ max: 1 }),
  key: fc.constantFrom(...KEYS),
  value: fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) }),
});

export const segment = fc.record({ written: fc.array(record, { maxLength: 6 }), foreign: fc.nat({ max: 2 }) });

export function write(world: World, { written, foreign }: { written: Written[]; foreign: number }): void {
  const allowed = world.definition.kind === 'upsert' ? written : written.filter(({ value }) => value !== null);
  world.log.append(allowed, foreign);
}

/** One stream, its log, its table, and everything that can go wrong between them. */
export class World {
  readonly definition: StreamDefinition;
  readonly log: MemoryLog;
  readonly store: ObjectStore = new MemoryObjectStore();
  readonly tables: TableStore;
  /** Virtual unless the table store does real I/O. */
  readonly clock: Clock;
  readonly random: Random;
  /** Texts the provider cannot embed at the moment. */
  providerDown = false;

  constructor(definition: StreamDefinition, seed: number, tables: TableStore, clock: Clock = new VirtualClock()) {
    this.definition = definition;
    this.tables = tables;
    this.clock = clock;
    this.log = new MemoryLog(definition);
    this.random = seededRandom(seed);
  }

  /** A compactor of its own: it shares nothing with others but the stores. */
  context(faults: { hook?: StepHook; fateOf?: (key: string) => PutFate } = {}): CompactionContext {
    return {
      store: faults.fateOf ? withPutFates(this.store, faults.fateOf) : this.store,
      tables: faults.hook ? withStepHook(this.tables, faults.hook) : this.tables,
      log: this.log,
      clock: this.clock,
      random: this.random,
      // Now and then a compactor that verifies hashes of the whole table, as small tables get it.
      settings: {
        fullyHashedRows: this.random.float() < 0.3 ? 100 : 0,
        maxStepRows: 7,
        maxFilledVectors: 3,
        unindexedTextRows: 5,
        compactionsPerOptimize: 3,
        maxAttempts: 8,
      },
      vectorsFor: async (_, rows) => {
        if (this.providerDown) throw new TailwaterError('TW_EMBEDDING_FAILED');
        const vectors = new Float32Array(rows.length * 4);
        for (const [index, { text }] of rows.entries()) vectors.set([1, text.length, text.charCodeAt(0), 0], index * 4);
        return { vectors, hasVector: new Uint8Array(rows.length).fill(1) };
      },
    };
  }

  compact(context = this.context()): Promise<TableState | null> {
    return this.run(compactStream(context, this.definition, this.log.head));
  }

  maintain(options: MaintainOptions = {}): Promise<TableState | null> {
    return this.run(maintainTable(this.context(), this.definition, options));
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock instanceof VirtualClock ? this.clock.run(promise) : promise;
  }

  states(): TableStates {
    return new TableStates(this.store, this.definition.incarnation);
  }
}

/** The rows that win among the records up to the watermark, by key (or every record), by a plain fold. */
function winners(definition: StreamDefinition, records: readonly StreamRecord[]): StreamRecord[] {
  if (definition.kind === 'append') return [...records];
  const newest = new Map<string, StreamRecord>();
  for (const record of records) newest.set(Buffer.from(record.key!).toString('hex'), record);
  return [...newest.values()].filter(record => record.value !== null);
}

function plain({ partition, offset, seq, key, value, timeMs, ingestedAtMs }: StreamRecord): object {
  const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('latin1'));
  return { partition, offset, seq, key: text(key), value: text(value), timeMs, ingestedAtMs };
}

function bySeq(records: readonly StreamRecord[]): object[] {
  return [...records].sort((a, b) => a.seq - b.seq).map(plain);
}

function parsedValue(record: StreamRecord): JsonValue {
  return record.value === null ? null : JSON.parse(Buffer.from(record.value).toString());
}

/** The table holds exactly what the log says up to the state's position: rows, changes, accounting and statistics. */
export async function expectTableEqualsLog(world: World, state: TableState): Promise<void> {
  const records = world.log.records.filter(record => Math.floor(record.seq / 65_536) <= state.logSeq);
  const rows = winners(world.definition, records);
  const version = await world.tables.open(
    world.definition,
    { rows: state.rowsVersion, changes: state.changesVersion },
    state.schema,
  );
  const scanned: StreamRecord[] = [];
  for await (const batch of version.scan({})) scanned.push(...batch);
  expect(bySeq(scanned)).toEqual(bySeq(rows));
  const replayed: StreamRecord[] = [];
  for (const [partition, last] of state.watermark.entries())
    replayed.push(...(await version.byOffsets(partition, 0, last, 10_000)));
  expect(bySeq(replayed)).toEqual(bySeq(records));
  expectAccounting(state, records, rows);
  await expectStatistics(world, state, rows);
}

function expectAccounting(state: TableState, records: readonly StreamRecord[], rows: readonly StreamRecord[]): void {
  expect(state.rowCount).toBe(rows.length);
  expect(state.changeCount).toBe(records.length - rows.length);
  expect(state.rowsHash).toBe(hashOf(rows));
  expect(state.changesHash).toBe(hashOf(records.filter(record => !rows.includes(record))));
  for (const [partition, offset] of state.watermark.entries()) {
    expect(offset).toBe(records.filter(record => record.partition === partition).length - 1);
  }
}

function hashOf(records: readonly StreamRecord[]): string {
  const hash = new AdditiveHash();
  for (const { partition, offset } of records) hash.add(partition, offset);
  return hash.toString();
}

async function expectStatistics(world: World, state: TableState, rows: readonly StreamRecord[]): Promise<void> {
  const statistics = await TableStatistics.load(world.store, state.statistics);
  const texts = rows.map(row => searchText(world.definition, parsedValue(row))).filter(text => text !== null);
  const documents = texts.map(analyze);
  expect(statistics.documents).toBe(documents.length);
  expect(statistics.tokens).toBe(documents.reduce((sum, terms) => sum + terms.length, 0));
  for (const term of analyze(WORDS.join(' '))) {
    expect(statistics.documentFrequency(term)).toBe(documents.filter(terms => terms.includes(term)).length);
  }
  if (world.definition.kind !== 'upsert') return;
  const keys = new Set(rows.map(row => Buffer.from(row.key!).toString()));
  for (const key of KEYS) expect(statistics.mayHaveKey(Buffer.from(key))).toBe(keys.has(key));
}
