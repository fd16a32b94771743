import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compactStream,
  earliestOffset,
  MemoryTableStore,
  maintainTable,
  TableStatistics,
  verifyStates,
  verifyTable,
} from '../../src/lakehouse/index.ts';
import { analyze, type StreamDefinition, type StreamRecord, searchText } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { APPEND, segment, UPSERT, World, write } from './compact-oracle.ts';

const AGED: StreamDefinition = { ...APPEND, retentionMs: 60 };
const BOUNDED: StreamDefinition = { ...APPEND, retentionBytes: 300 };
const FORGETTING: StreamDefinition = { ...UPSERT, historyMs: 50 };
const MORTAL: StreamDefinition = { ...UPSERT, ttl: { ms: 70 } };
const DATED: StreamDefinition = { ...UPSERT, embed: null, ttl: { field: 'price' } };
const ALL: StreamDefinition = { ...UPSERT, retentionMs: 120, retentionBytes: 500, historyMs: 60, ttl: { ms: 90 } };

interface Version {
  record: StreamRecord;
  /** Null while it is the row of its key. */
  supersededMs: number | null;
}

/** What has to be in the table, by a plain fold over the log and the definition. */
class Truth {
  readonly #definition: StreamDefinition;
  versions: Version[] = [];
  #read = 0;

  constructor(definition: StreamDefinition) {
    this.#definition = definition;
  }

  compacted(records: readonly StreamRecord[]): void {
    for (const record of records.slice(this.#read)) {
      const upsert = this.#definition.kind === 'upsert';
      const before = this.versions.find(
        each => upsert && each.supersededMs === null && Buffer.compare(each.record.key!, record.key!) === 0,
      );
      if (before !== undefined) before.supersededMs = record.ingestedAtMs;
      this.versions.push({ record, supersededMs: upsert && record.value === null ? record.ingestedAtMs : null });
    }
    this.#read = records.length;
  }

  expired(nowMs: number): void {
    const { retentionBytes } = this.#definition;
    this.versions = this.versions.filter(version => !this.#isOver(version, nowMs));
    const tooMany = this.#tooMany();
    this.versions = this.versions.filter(({ record }) => !tooMany.has(record));
    const bytes = this.versions.reduce((sum, { record }) => sum + bytesOf(record), 0);
    if (retentionBytes !== undefined) expect(bytes).toBeLessThanOrEqual(retentionBytes);
  }

  /** Those, oldest first, without which the rest is small enough. */
  #tooMany(): Set<StreamRecord> {
    const { retentionBytes = Number.POSITIVE_INFINITY } = this.#definition;
    const all = this.versions.map(({ record }) => record).sort((a, b) => a.seq - b.seq);
    let bytes = all.reduce((sum, record) => sum + bytesOf(record), 0);
    const gone = new Set<StreamRecord>();
    for (const record of all) {
      if (bytes <= retentionBytes) break;
      gone.add(record);
      bytes -= bytesOf(record);
    }
    return gone;
  }

  #isOver({ record, supersededMs }: Version, nowMs: number): boolean {
    const { retentionMs, historyMs, ttl } = this.#definition;
    if (retentionMs !== null && record.ingestedAtMs + retentionMs <= nowMs) return true;
    if (supersededMs !== null) return historyMs !== null && supersededMs + historyMs <= nowMs;
    if (ttl === undefined) return false;
    if ('ms' in ttl) return record.timeMs + ttl.ms <= nowMs;
    const { price } = JSON.parse(Buffer.from(record.value!).toString());
    return typeof price === 'number' && price <= nowMs;
  }
}

function bytesOf({ key, value }: StreamRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('write' as const), segment }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'maintain' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'race' as const }) },
);

async function live(
  definition: StreamDefinition,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<number> {
  const clock = new VirtualClock();
  const world = new World(definition, 1, new MemoryTableStore(), clock);
  const truth = new Truth(definition);
  let ingestedMs = 0;
  const maintain = async (): Promise<void> => {
    await world.compact();
    truth.compacted(world.log.records);
    const nowMs = clock.nowMs();
    const settings = { ...world.context().settings, maxExpiredRecords: 4 };
    await world.run(maintainTable({ ...world.context(), settings }, definition));
    truth.expired(nowMs);
    await expectTruth(world, truth);
  };
  for (const each of steps) {
    if (each.kind === 'write') {
      write(world, each.segment);
      ingestedMs = world.log.segments.at(-1)!.commitTimeMs;
      if (clock.nowMs() < ingestedMs) await clock.advance(ingestedMs - clock.nowMs());
    } else if (each.kind === 'pass') await clock.advance(each.ms);
    else if (each.kind === 'maintain') await maintain();
    else {
      // A row that a racing compaction supersedes may expire before or after it: both are right, so compaction goes first.
      await world.compact();
      truth.compacted(world.log.records);
      const nowMs = clock.nowMs();
      const racers = [0, 1].map(() => maintainTable(world.context(), definition, { full: true }));
      await world.run(Promise.allSettled([...racers, compactStream(world.context(), definition, world.log.head)]));
      truth.expired(nowMs);
      await maintain();
    }
  }
  await maintain();
  return world.log.records.length - truth.versions.length;
}

/** Rows, changes, what is accounted for, statistics, and where stream reads begin. */
async function expectTruth(world: World, truth: Truth): Promise<void> {
  const { definition, store, tables } = world;
  const state = await world.states().latest();
  if (state === null) return expect(truth.versions).toEqual([]);
  const version = await tables.open(definition, { rows: state.rowsVersion, changes: state.changesVersion }, state.schema);
  const rows: number[] = [];
  for await (const batch of version.scan({})) rows.push(...batch.map(row => row.seq));
  const live = truth.versions.filter(({ supersededMs }) => supersededMs === null).map(({ record }) => record);
  const ascending = (seqs: number[]): number[] => seqs.sort((a, b) => a - b);
  expect(ascending(rows)).toEqual(ascending(live.map(record => record.seq)));
  expect(await verifyTable({ store, tables, definition, state })).toEqual([]);
  await verifyStates(store, definition.incarnation, (_, error) => {
    throw error;
  });
  const kept = new Set(truth.versions.map(({ record }) => `${record.partition}/${record.offset}`));
  for (const [partition, last] of state.watermark.entries()) {
    const missing = Array.from({ length: last + 1 }, (_, offset) => offset).filter(offset => !kept.has(`${partition}/${offset}`));
    expect(earliestOffset(state, partition)).toBe((missing.at(-1) ?? -1) + 1);
  }
  const texts = live.map(({ value }) => searchText(definition, JSON.parse(Buffer.from(value!).toString())) ?? null);
  const found = texts.filter(text => text !== null);
  const statistics = await TableStatistics.load(store, state.statistics);
  expect(statistics.documents).toBe(found.length);
  expect(statistics.tokens).toBe(found.reduce((sum, text) => sum + analyze(text).length, 0));
}

describe('records expire', () => {
  test.each([
    ['by age', AGED],
    ['by bytes', BOUNDED],
    ['by history', FORGETTING],
    ['by time to live', MORTAL],
    ['by a field', DATED],
    ['by everything', ALL],
  ])('%s: rows, changes, hashes, statistics and the earliest offset are what a plain fold says', async (_name, definition) => {
    let gone = 0;
    const history = fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 25 }), async steps => {
      gone += await live(definition, steps);
    });
    await fc.assert(history, { numRuns: 40 });
    expect(gone).toBeGreaterThan(20);
  });
});
