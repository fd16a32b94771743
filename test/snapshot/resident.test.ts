import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromUtf8, Pace, seededRandom, silentLogger } from '../../src/base/index.ts';
import { MemoryTableStore, type TableRow } from '../../src/lakehouse/index.ts';
import { ResidentTables } from '../../src/snapshot/index.ts';
import { LiveStream } from '../../src/snapshot/live-stream.ts';
import type { ResidentRows } from '../../src/snapshot/resident-rows.ts';
import type { TableView } from '../../src/snapshot/table-view.ts';
import { analyze, Bm25 } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { APPEND, segment, UPSERT, World, write } from '../lakehouse/compact-oracle.ts';

const TERMS = analyze('harbour storm anchor');
const VECTOR = Float32Array.from([0.6, 0.8, 0, 0]);

/** A stream of a world on a node that keeps rows of tables in memory. */
class Node {
  readonly clock = new VirtualClock();
  readonly world: World;
  readonly residents: ResidentTables;
  readonly stream: LiveStream;
  #applied = 0;

  constructor(definition: typeof UPSERT, seed: number, settings = {}, residents?: ResidentTables) {
    this.world = new World(definition, seed, new MemoryTableStore({ random: seededRandom(seed) }), this.clock);
    this.residents = residents ?? new ResidentTables({ clock: this.clock, logger: silentLogger, settings });
    const { store, tables } = this.world;
    this.stream = LiveStream.fresh(definition, { store, tables, states: this.world.states() }, this.residents);
  }

  follow(): void {
    for (const entry of this.world.log.segments.slice(this.#applied)) this.stream.apply(entry);
    this.#applied = this.world.log.head;
  }

  /** The newest table state is taken over, and what loads in the background has loaded. */
  async advance(): Promise<void> {
    this.follow();
    await this.clock.run(this.stream.advance());
    await this.clock.advance(0);
  }
}

/** Everything a search can ask of the rows, computed from a plain scan of the table each time. */
async function expectEqualToTable(rows: ResidentRows, view: TableView): Promise<void> {
  const scanned = [];
  for await (const batch of view.version.scanIndexable({})) scanned.push(...batch);
  scanned.sort((a, b) => b.row.seq - a.row.seq);
  const accepts = (row: TableRow) => row.partition === 0 || row.seq % 2 === 0;
  const accepted = scanned.filter(({ row }) => accepts(row));
  expect(rows.rowCount).toBe(scanned.length);
  expect(rows.newest(1000, accepts).map(({ seq }) => seq)).toEqual(accepted.map(({ row }) => row.seq));
  for (const text of new Set(scanned.map(({ row }) => textOf(row)).filter(text => text !== 'undefined'))) {
    const equal = { path: 'text', value: text };
    const same = accepted.filter(({ row }) => textOf(row) === text).map(({ row }) => row.seq);
    expect(rows.newest(1000, row => accepts(row) && textOf(row) === text, equal).map(({ seq }) => seq)).toEqual(same);
    await rows.indexBy('text', new Pace(new VirtualClock(), 5));
    expect(rows.newest(2, row => accepts(row) && textOf(row) === text, equal).map(({ seq }) => seq)).toEqual(same.slice(0, 2));
  }

  const bm25 = new Bm25({ documents: 20, tokens: 60, frequencies: [7, 3, 5] });
  const texts = accepted.flatMap(({ row, text }) => {
    const terms = analyze(text ?? '');
    const counts = TERMS.map(term => terms.filter(each => each === term).length);
    return counts.some(count => count > 0) ? [{ seq: row.seq, score: bm25.score(counts, terms.length) }] : [];
  });
  texts.sort((a, b) => b.score - a.score || b.seq - a.seq);
  const found = rows.searchText(TERMS, bm25, 4, accepts);
  expect(found.map(({ row, score }) => ({ seq: row.seq, score }))).toEqual(texts.slice(0, 4));

  const near = rows.searchVector(VECTOR, 1000, accepts);
  const distances = new Map(accepted.flatMap(({ row, vector }) => (vector === null ? [] : [[row.seq, cosine(vector)]])));
  expect(near.map(({ row }) => row.seq).sort((a, b) => a - b)).toEqual([...distances.keys()].sort((a, b) => a - b));
  for (const [index, { row, score }] of near.entries()) {
    expect(score).toBeCloseTo(distances.get(row.seq)!, 5);
    if (index > 0) expect(score).toBeGreaterThanOrEqual(near[index - 1].score);
  }
}

function textOf({ value }: TableRow): string {
  return value === null ? '' : String(JSON.parse(fromUtf8(value)).text);
}

function cosine(vector: Float32Array): number {
  const dot = vector.reduce((sum, part, index) => sum + part * VECTOR[index], 0);
  return 1 - dot / (Math.hypot(...vector) * Math.hypot(...VECTOR));
}

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), segment }) },
    { weight: 3, arbitrary: fc.constant({ kind: 'compact' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'maintain' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'provider fails' as const }) },
  ),
  { minLength: 3, maxLength: 20 },
);

describe('rows of small tables in memory', () => {
  for (const definition of [UPSERT, APPEND]) {
    test(`are those of every table state of a stream of kind ${definition.kind}, older states included`, async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.integer(), async (history, seed) => {
          const node = new Node(definition, seed);
          const kept: { rows: ResidentRows; view: TableView }[] = [];
          for (const step of history) {
            if (step.kind === 'write') write(node.world, step.segment);
            else if (step.kind === 'provider fails') node.world.providerDown = !node.world.providerDown;
            else if (step.kind === 'maintain') await node.world.maintain({ full: true });
            else await node.world.compact();
            await node.advance();
            const { view, resident } = node.stream;
            expect(resident === null).toBe(view === null);
            if (view !== null && resident !== null) kept.push({ view, rows: resident });
          }
          for (const { rows, view } of kept) await expectEqualToTable(rows, view);
        }),
        { numRuns: 150 },
      );
    });
  }

  test('are loaded once and then follow compactions, until versions that left outnumber the rest', async () => {
    const node = new Node(UPSERT, 1);
    const keys = Array.from({ length: 500 }, (_, id) => `k${id}`);
    for (let round = 0; round < 12; round++) {
      node.world.log.append(keys.map(key => ({ partition: 0, key, value: { text: `storm ${round}` } })));
      await node.world.compact();
      await node.advance();
      expect(node.stream.resident!.rowCount).toBe(500);
      expect(node.stream.resident!.goneCount).toBeLessThanOrEqual(4_096);
      expect(node.residents.stats().loads).toBe(round < 9 ? 1 : 2);
    }
  });

  test('are loaded once, however often the table is searched meanwhile', async () => {
    const node = new Node(APPEND, 6);
    node.world.log.append([{ partition: 0, key: 'a', value: { text: 'storm' } }]);
    await node.world.compact();
    await node.advance();
    const { residents, stream } = node;
    const before = residents.stats().loads;
    stream.evict();
    residents.released(stream);
    for (let search = 0; stream.resident === null && search < 1000; search++) {
      residents.searched(stream);
      await Promise.resolve();
    }
    await node.advance();
    expect([stream.resident?.rowCount, residents.stats().loads - before]).toEqual([1, 1]);
  });

  test('stay within the budget: a table that is searched gets room from the one searched longest ago', async () => {
    const first = new Node(APPEND, 2, { maxResidentBytes: 2_000 });
    const second = new Node(APPEND, 3, {}, first.residents);
    for (const node of [first, second]) {
      node.world.log.append([{ partition: 0, key: 'a', value: { text: 'storm '.repeat(100) } }]);
      await node.world.compact();
      await node.advance();
    }
    const search = async (node: Node) => {
      node.residents.searched(node.stream);
      await node.advance();
      expect(first.residents.stats().bytes).toBeLessThanOrEqual(2_000);
      return [first, second].map(({ stream }) => stream.resident !== null);
    };
    expect(await search(second)).toEqual([false, true]);
    expect(await search(first)).toEqual([true, false]);
    expect(await search(first)).toEqual([true, false]);
  });

  test('of a table above a limit are not kept', async () => {
    for (const settings of [{ maxResidentRows: 2 }, { maxResidentBytes: 0 }]) {
      const node = new Node(APPEND, 4, settings);
      node.world.log.append(['a', 'b', 'c'].map(key => ({ partition: 0, key, value: { text: 'storm' } })));
      await node.world.compact();
      await node.advance();
      node.residents.searched(node.stream);
      await node.advance();
      expect(node.residents.stats()).toMatchObject({ tables: 0, bytes: 0, waiting: 0 });
    }
  });

  test('of a stream that was closed are given up, and nothing loads them again', async () => {
    const node = new Node(APPEND, 5);
    node.world.log.append([{ partition: 0, key: 'a', value: { text: 'storm' } }]);
    await node.world.compact();
    node.follow();
    await node.clock.run(node.stream.advance());
    node.stream.close();
    await node.clock.advance(0);
    expect(node.residents.stats()).toMatchObject({ tables: 0, bytes: 0, waiting: 0 });
    node.residents.searched(node.stream);
    await node.clock.advance(0);
    expect(node.residents.stats()).toMatchObject({ tables: 0, waiting: 0 });
  });
});
