import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTailwaterError, seededRandom, utf8 } from '../../src/base/index.ts';
import { StatisticsCollector } from '../../src/lakehouse/statistics/collector.ts';
import { decodeLayer, encodeLayer, layerSize, mergeLayers, type StatisticsLayer } from '../../src/lakehouse/statistics/layer.ts';
import { keptLayers, stackLayer } from '../../src/lakehouse/statistics/stacking.ts';
import { TableStatistics } from '../../src/lakehouse/statistics/statistics.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';

interface Row {
  key: string;
  terms: string[];
}

const row: fc.Arbitrary<Row> = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'ключ', ''),
  terms: fc.array(fc.constantFrom('sea', 'river', 'tide', 'ebb', 'mole', '水'), { maxLength: 8 }),
});
const rows = fc.array(row, { maxLength: 20 });

function layerOf(entering: readonly Row[], leaving: readonly Row[] = []): StatisticsLayer {
  const collector = new StatisticsCollector();
  for (const { key, terms } of entering) {
    collector.addKey(utf8(key), 1);
    collector.addText(terms, 1);
  }
  for (const { key, terms } of leaving) {
    collector.addKey(utf8(key), -1);
    collector.addText(terms, -1);
  }
  return collector.finish();
}

function expectStatisticsOf(statistics: TableStatistics, present: readonly Row[]): void {
  expect(statistics.documents).toBe(present.length);
  expect(statistics.tokens).toBe(present.reduce((sum, { terms }) => sum + terms.length, 0));
  for (const term of ['sea', 'river', 'tide', 'ebb', 'mole', '水', 'absent']) {
    expect(statistics.documentFrequency(term)).toBe(present.filter(({ terms }) => terms.includes(term)).length);
  }
  for (const key of ['a', 'b', 'c', 'd', 'ключ', '', 'absent']) {
    expect(statistics.mayHaveKey(utf8(key))).toBe(present.some(other => other.key === key));
  }
}

/** A table's life: every step adds rows and removes some that are present. */
const life = fc.array(fc.record({ entering: rows, leaving: fc.nat({ max: 10 }) }), { maxLength: 12 });

describe('table statistics', () => {
  test('equal a count from scratch after any sequence of rows entering and leaving', async () => {
    await fc.assert(
      fc.asyncProperty(life, async steps => {
        const store = new MemoryObjectStore();
        const random = seededRandom(1);
        let statistics = TableStatistics.EMPTY;
        let present: Row[] = [];
        for (const { entering, leaving } of steps) {
          const gone = present.slice(0, leaving);
          present = [...present.slice(leaving), ...entering];
          statistics = await stackLayer(store, random, { incarnation: 'incarnation', n: 1 }, statistics, layerOf(entering, gone));
          expectStatisticsOf(statistics, present);
          expectStatisticsOf(await TableStatistics.load(store, statistics.objectKeys), present);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('survive encoding', () => {
    fc.assert(
      fc.property(rows, rows, (entering, leaving) => {
        const layer = layerOf(entering, leaving);
        const decoded = decodeLayer(encodeLayer(layer));
        expect(encodeLayer(decoded)).toEqual(encodeLayer(layer));
        expect(decoded.documents).toBe(layer.documents);
        expect(decoded.tokens).toBe(layer.tokens);
      }),
    );
  });

  test('a damaged object is refused, whichever byte is wrong', () => {
    const bytes = encodeLayer(layerOf([{ key: 'a', terms: ['sea', 'river'] }]));
    for (let at = 0; at < bytes.length; at++) {
      const wrong = bytes.slice();
      wrong[at] ^= 0x40;
      expect(() => decodeLayer(wrong)).toThrow(expect.objectContaining({ name: 'TailwaterError' }));
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeLayer(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'TW_DATA_DAMAGED' }));
    }
  });

  test('an object of a newer format is refused as such', () => {
    const bytes = encodeLayer(layerOf([])).slice();
    bytes[5] = 9;
    expect(() => decodeLayer(bytes)).toThrow(expect.objectContaining({ code: 'TW_FORMAT_TOO_NEW' }));
  });

  test('a missing object is reported by name', async () => {
    const missing = await TableStatistics.load(new MemoryObjectStore(), ['tables/x/statistics/y']).catch(error => error);
    expect(isTailwaterError(missing, 'TW_HISTORY_EXPIRED')).toBe(true);
    expect(missing.message).toContain('tables/x/statistics/y');
  });

  test('loading the next state reads only the layers it adds', async () => {
    const store = new MemoryObjectStore();
    const wide = layerOf(Array.from({ length: 5000 }, (_, index) => ({ key: `k${index}`, terms: [] })));
    const first = await stackLayer(store, seededRandom(1), { incarnation: 'i', n: 1 }, TableStatistics.EMPTY, wide);
    const second = await stackLayer(
      store,
      seededRandom(2),
      { incarnation: 'i', n: 2 },
      first,
      layerOf([{ key: 'new', terms: [] }]),
    );
    expect(second.objectKeys).toHaveLength(2);
    await store.delete([first.objectKeys[0]]);
    const loaded = await TableStatistics.load(store, second.objectKeys, first);
    expect(loaded.mayHaveKey(utf8('k4999'))).toBe(true);
    expect(loaded.mayHaveKey(utf8('new'))).toBe(true);
  });

  test('a delta that changes nothing writes nothing', async () => {
    const store = new MemoryObjectStore();
    const same = await stackLayer(
      store,
      seededRandom(1),
      { incarnation: 'i', n: 1 },
      TableStatistics.EMPTY,
      layerOf([{ key: 'a', terms: ['sea'] }], [{ key: 'a', terms: ['sea'] }]),
    );
    expect(same).toBe(TableStatistics.EMPTY);
    expect(await store.list('')).toEqual([]);
  });
});

describe('stacking', () => {
  /** Replays the sizes only: what is kept, what is rewritten. */
  function grow(deltas: readonly number[]): { layers: number[]; written: number; most: number } {
    let layers: number[] = [];
    let written = 0;
    let most = 0;
    for (const delta of deltas) {
      const kept = keptLayers([...layers, delta]);
      const merged = layers.slice(kept).reduce((sum, size) => sum + size, delta);
      layers = [...layers.slice(0, kept), merged];
      written += merged;
      most = Math.max(most, layers.length);
    }
    return { layers, written, most };
  }

  test('keeps few layers and rewrites an entry a logarithmic number of times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 400 }), deltas => {
        const total = deltas.reduce((sum, size) => sum + size, 0);
        const { written, most } = grow(deltas);
        const doublings = Math.log2(total / 1024 + 2) + 1;
        expect(most).toBeLessThanOrEqual(doublings + 1);
        expect(written).toBeLessThanOrEqual((total + deltas.length * 1024) * doublings * 2);
      }),
    );
  });

  test('a large base is not rewritten for small deltas', () => {
    expect(keptLayers([3_000_000, 20_000])).toBe(1);
    expect(keptLayers([3_000_000, 400_000, 300_000])).toBe(1);
    expect(keptLayers([1000, 900])).toBe(0);
  });

  test('merging layers is independent of grouping', () => {
    fc.assert(
      fc.property(rows, rows, rows, (a, b, c) => {
        const [x, y, z] = [layerOf(a), layerOf(b), layerOf([], c)];
        const left = mergeLayers(mergeLayers(x, y), z);
        const right = mergeLayers(x, mergeLayers(y, z));
        expect(encodeLayer(left)).toEqual(encodeLayer(right));
        expect(layerSize(left)).toBe(layerSize(right));
      }),
    );
  });
});
