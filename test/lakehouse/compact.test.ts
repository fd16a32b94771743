import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AdditiveHash, type JsonValue, type Random, seededRandom, TailwaterError } from '../../src/base/index.ts';
import {
  type CompactionContext,
  compactStream,
  MemoryTableStore,
  maintainTable,
  type TableState,
  TableStates,
  TableStatistics,
  type TableStore,
} from '../../src/lakehouse/index.ts';
import type { ObjectStore } from '../../src/storage/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { analyze, type StreamDefinition, type StreamRecord, searchText } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { type PutFate, withPutFates } from './compact-support.ts';
import { definitionOf, MemoryLog, type StepHook, type Written, withFacts, withStepHook } from './compact-world.ts';

const UPSERT = definitionOf({
  kind: 'upsert',
  key: ['id'],
  search: { fields: ['text'] },
  embed: { fields: ['text'], provider: 'hash', model: 'hash-v1', dimensions: 4 },
});
const APPEND = definitionOf({ kind: 'append', search: { fields: ['text'] } });

/** One stream, its log, its table, and everything that can go wrong between them. */
class World {
  readonly definition: StreamDefinition;
  readonly log: MemoryLog;
  readonly store: ObjectStore = new MemoryObjectStore();
  readonly tables: TableStore = new MemoryTableStore();
  readonly clock = new VirtualClock();
  readonly random: Random;
  /** Texts the provider cannot embed at the moment. */
  providerDown = false;

  constructor(definition: StreamDefinition, seed: number) {
    this.definition = definition;
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
      settings: { maxStepRows: 7, maxFilledVectors: 3, unindexedTextRows: 5, compactionsPerOptimize: 3, maxAttempts: 8 },
      vectorsFor: async (_, rows) => {
        if (this.providerDown) throw new TailwaterError('TW_EMBEDDING_FAILED');
        const vectors = new Float32Array(rows.length * 4);
        for (const [index, { text }] of rows.entries()) vectors.set([1, text.length, text.charCodeAt(0), 0], index * 4);
        return { vectors, hasVector: new Uint8Array(rows.length).fill(1) };
      },
    };
  }

  compact(context = this.context()): Promise<TableState | null> {
    return this.clock.run(compactStream(context, this.definition, this.log.head));
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
async function expectTableEqualsLog(world: World, state: TableState): Promise<void> {
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

const segment = fc.record({ written: fc.array(record, { maxLength: 6 }), foreign: fc.nat({ max: 2 }) });

function write(world: World, { written, foreign }: { written: Written[]; foreign: number }): void {
  const allowed = world.definition.kind === 'upsert' ? written : written.filter(({ value }) => value !== null);
  world.log.append(allowed, foreign);
}

/** Throws at one step of one attempt, as a crash or an engine error would. */
function failAt(step: number, message: string): StepHook {
  let steps = 0;
  return async () => {
    if (steps++ === step) throw new Error(message);
  };
}

/** Lets others run for a random while around every step. */
function yielding(random: Random): StepHook {
  return async () => {
    for (let turns = Math.floor(random.float() * 6); turns > 0; turns--) await null;
  };
}

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), segment }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('compact' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail' as const), step: fc.nat({ max: 14 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('race' as const), racers: fc.integer({ min: 2, max: 4 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('unknown' as const),
      fates: fc.array(fc.constantFrom<PutFate>('works', 'reply-lost', 'request-lost'), { maxLength: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('maintain' as const), full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('provider' as const), down: fc.boolean() }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function perform(world: World, step: Operation): Promise<void> {
  if (step.kind === 'write') return write(world, step.segment);
  if (step.kind === 'compact') return void (await world.compact());
  if (step.kind === 'fail') return crashed(world, world.context({ hook: failAt(step.step, 'killed') }));
  if (step.kind === 'race') return race(world, step.racers);
  if (step.kind === 'unknown') return unknownOutcomes(world, [...step.fates]);
  if (step.kind === 'maintain')
    return void (await world.clock.run(maintainTable(world.context(), world.definition, { full: step.full })));
  world.providerDown = step.down;
}

/** One attempt only: what a crash leaves behind. */
async function crashed(world: World, context: CompactionContext): Promise<void> {
  await world.compact({ ...context, settings: { ...context.settings, maxAttempts: 1 } }).catch(expectFailure);
}

async function race(world: World, racers: number): Promise<void> {
  const contexts = Array.from({ length: racers }, () => world.context({ hook: yielding(world.random) }));
  const runs = contexts.map((context, racer) =>
    racer === 0
      ? maintainTable(context, world.definition, { full: true }).catch(expectFailure)
      : compactStream(context, world.definition, world.log.head).catch(expectFailure),
  );
  await world.clock.run(Promise.all(runs));
}

async function unknownOutcomes(world: World, fates: PutFate[]): Promise<void> {
  await world.compact(world.context({ fateOf: () => fates.shift() ?? 'works' })).catch(expectFailure);
}

function expectFailure(error: unknown): null {
  expect(error).toMatchObject({ code: 'TW_COMPACTION_FAILED' });
  return null;
}

describe.each([
  ['upsert', UPSERT],
  ['append', APPEND],
])('compaction of an %s stream', (_, definition) => {
  test('whatever races, fails or stays unknown, the table equals the log: every version once, statistics exact', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), fc.integer(), async (operations, seed) => {
        const world = new World(definition, seed);
        for (const step of operations) {
          await perform(world, step);
          const state = await world.states().latest();
          if (state !== null) await expectTableEqualsLog(world, state);
        }
        const state = await world.compact();
        if (state === null) {
          expect(world.log.records).toEqual([]);
        } else {
          expect(state.logSeq).toBe(world.log.head);
          await expectTableEqualsLog(world, state);
        }
      }),
      { numRuns: 120 },
    );
  });

  test('older states keep answering as they did, whatever is committed after them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 2, maxLength: 8 }), fc.integer(), async (segments, seed) => {
        const world = new World(definition, seed);
        for (const each of segments) {
          write(world, each);
          await world.compact();
        }
        const states = world.states();
        const newest = (await states.latest())?.n ?? 0;
        for (let n = 1; n <= newest; n++) await expectTableEqualsLog(world, (await states.read(n))!);
      }),
      { numRuns: 25 },
    );
  });
});

describe('compaction', () => {
  const note = (key: string, words: string): Written => ({ partition: 0, key, value: { text: words } });

  test('a stream without records has no table, however often it is compacted', async () => {
    const world = new World(UPSERT, 1);
    world.log.append([], 3);
    expect(await world.compact()).toBeNull();
    expect(await world.states().latest()).toBeNull();
  });

  test('segments without records of the stream move its position without touching the table', async () => {
    const world = new World(UPSERT, 1);
    world.log.append([note('a', 'tide')]);
    const first = await world.compact();
    for (let index = 0; index < 5; index++) world.log.append([], 1);
    const second = await world.compact();
    expect(second).toMatchObject({ n: 2, logSeq: 6, rowsVersion: first!.rowsVersion, rowCount: 1 });
  });

  test('a failing embedding provider delays nothing: rows enter without a vector and get it later', async () => {
    const world = new World(UPSERT, 1);
    world.providerDown = true;
    world.log.append(Array.from({ length: 8 }, (_, index) => note(`k${index}`, 'storm tide')));
    expect(await world.compact()).toMatchObject({ rowCount: 8, nullVectors: 8 });
    expect(await world.clock.run(maintainTable(world.context(), UPSERT))).toMatchObject({ nullVectors: 8 });
    world.providerDown = false;
    const filled = await world.clock.run(maintainTable(world.context(), UPSERT));
    expect(filled).toMatchObject({ nullVectors: 0, rowCount: 8, watermark: [7, -1] });
  });

  test('vectors that do not come in time are left for later', async () => {
    const world = new World(UPSERT, 1);
    world.log.append([note('a', 'tide')]);
    const never = { ...world.context(), vectorsFor: () => new Promise<never>(() => {}) };
    expect(await world.compact(never)).toMatchObject({ rowCount: 1, nullVectors: 1 });
  });

  test('the text index follows when enough rows lack it, and not before', async () => {
    const world = new World(APPEND, 1);
    world.log.append([note('a', 'tide')]);
    await world.compact();
    expect(await world.clock.run(maintainTable(world.context(), APPEND))).toMatchObject({ n: 1, indexedRows: { text: 0 } });
    expect(await world.clock.run(maintainTable(world.context(), APPEND, { full: true }))).toMatchObject({
      indexedRows: { text: 1 },
    });
    world.log.append(Array.from({ length: 9 }, () => note('b', 'storm')));
    await world.compact();
    expect(await world.clock.run(maintainTable(world.context(), APPEND))).toMatchObject({
      kind: 'index',
      indexedRows: { text: 10 },
    });
  });

  test('a gap in the offsets is damage, never skipped', async () => {
    const world = new World(APPEND, 1);
    for (let index = 0; index < 3; index++) world.log.append([note('a', 'tide')]);
    await expect(world.clock.run(compactStream(world.context(), APPEND, 3, { firstSegment: 2 }))).rejects.toMatchObject({
      code: 'TW_DATA_DAMAGED',
    });
  });

  test('a compactor that is kept reads only what others and it itself added since', async () => {
    const world = new World(UPSERT, 1);
    const kept = world.context();
    const wide = Array.from({ length: 3_000 }, (_, index) => note(`k${index}`, `storm${index}`));
    for (let at = 0; at < wide.length; at += 500) world.log.append(wide.slice(at, at + 500));
    const settings = { maxStepRows: 100_000 };
    await world.clock.run(compactStream(Object.assign(kept, { settings }), UPSERT, world.log.head));
    const reads: string[] = [];
    const get = world.store.get.bind(world.store);
    world.store.get = (key, options) => {
      reads.push(key);
      return get(key, options);
    };
    world.log.append([note('k1', 'tide')]);
    await world.clock.run(compactStream(kept, UPSERT, world.log.head));
    expect(reads.filter(key => key.includes('/statistics/'))).toEqual([]);
    const other = await world.clock.run(compactStream(world.context(), UPSERT, world.log.head));
    await expectTableEqualsLog(world, other!);
  });

  test('progress is reported step by step', async () => {
    const world = new World(APPEND, 1);
    for (let index = 0; index < 4; index++) world.log.append(Array.from({ length: 5 }, () => note('a', 'tide')));
    const seen: number[] = [];
    const onProgress = ({ records }: { records: number }): void => void seen.push(records);
    await world.clock.run(compactStream(world.context(), APPEND, 4, { onProgress }));
    expect(seen).toEqual([10, 20]);
  });

  test.each(['rowCount', 'oldRowCount', 'changeCount', 'rowsHash', 'oldRowsHash', 'changesHash'] as const)(
    'a staged table whose %s is not as planned is never committed',
    async field => {
      const world = new World(UPSERT, 1);
      world.log.append([note('a', 'tide'), note('b', 'storm')]);
      const first = await world.compact();
      world.log.append([note('a', 'anchor')]);
      const wrong = { rowCount: 9, oldRowCount: 9, changeCount: 9, rowsHash: 'f'.repeat(16), oldRowsHash: '1', changesHash: '2' };
      const lying = withFacts(world.tables, facts => ({ ...facts, [field]: wrong[field] }));
      await expect(world.compact({ ...world.context(), tables: lying })).rejects.toMatchObject({ code: 'TW_COMPACTION_FAILED' });
      expect(await world.states().latest()).toEqual(first);
      expect(await world.compact()).toMatchObject({ rowCount: 2, changeCount: 1, n: 2 });
    },
  );

  test('an engine that keeps failing ends in TW_COMPACTION_FAILED with its cause', async () => {
    const world = new World(APPEND, 1);
    world.log.append([note('a', 'tide')]);
    const hook: StepHook = async () => {
      throw new Error('disk on fire');
    };
    const failure = await world.compact(world.context({ hook })).catch(error => error);
    expect(failure).toMatchObject({ code: 'TW_COMPACTION_FAILED' });
    expect(failure.message).toContain('disk on fire');
  });
});
