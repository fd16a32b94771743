import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import { deleteVectors, vectorLives } from '../../src/embeddings/index.ts';
import { expiryDue, isStatisticsGarbage, tableNeeds, vectorsThroughSegment } from '../../src/lakehouse/collect/plan-table.ts';
import { dropTable, LanceTableStore, MemoryTableStore, tableLives } from '../../src/lakehouse/index.ts';
import { listAll, MemoryObjectStore } from '../../src/storage/index.ts';
import { emptyState } from './compact-support.ts';

async function keysIn(store: MemoryObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listAll(store, '')) keys.push(key);
  return keys;
}

describe('what a table needs', () => {
  const kept = [emptyState({ n: 5, statistics: ['t/4-a', 't/5-b'] }), emptyState({ n: 6, statistics: ['t/4-a', 't/6-c'] })];
  const pinned = [emptyState({ n: 2, rowsVersion: 2, statistics: ['t/2-p'] })];

  test('is what a kept or pinned state names, and what is being made for a state that nobody has committed', () => {
    const needs = tableNeeds(kept, pinned);
    const garbage = ['t/2-p', 't/3-x', 't/4-a', 't/5-b', 't/6-c', 't/6-lost', 't/7-coming', 't/oldname'].filter(key =>
      isStatisticsGarbage(key, needs),
    );
    expect(garbage).toEqual(['t/3-x', 't/6-lost', 't/oldname']);
    expect(needs.versions.map(versions => versions.rows)).toEqual([2, 1, 1]);
  });

  test('is no vector of a segment below every kept state, or below the log, while all rows of the table have theirs', () => {
    const oldest = emptyState({ n: 1, logSeq: 10 });
    expect(vectorsThroughSegment(oldest, emptyState({ n: 9, logSeq: 90 }), 1)).toBe(10);
    expect(vectorsThroughSegment(oldest, emptyState({ n: 9, logSeq: 90 }), 51)).toBe(50);
    expect(vectorsThroughSegment(oldest, emptyState({ n: 9, logSeq: 90 }), 200)).toBe(90);
    expect(vectorsThroughSegment(oldest, emptyState({ n: 9, logSeq: 90, nullVectors: 1 }), 51)).toBe(0);
  });

  test('changes seldom: states go together, once the second oldest has outlived history and its slack', () => {
    const second = emptyState({ n: 2, committedAtMs: 1_000 });
    expect(expiryDue(null, 100, 0.5, 9_999)).toBe(false);
    expect(expiryDue(second, 100, 0.5, 1_149)).toBe(false);
    expect(expiryDue(second, 100, 0.5, 1_150)).toBe(true);
  });
});

describe('what stream lives leave', () => {
  const paths = ['tables/a/statistics/1-x', 'tables/a/state/floor', 'tables/ab/state/floor', 'vectors/a/m/00000000000000000007'];

  async function filled(): Promise<MemoryObjectStore> {
    const store = new MemoryObjectStore();
    for (const path of [...paths, 'vectors/a/m/00000000000000000009', 'vectors/a/n/00000000000000000003', 'pins/n/1'])
      await store.put(path, utf8('12345'));
    return store;
  }

  test('is found by their objects and by their datasets', async () => {
    const store = await filled();
    const tables = { incarnations: async () => ['dataset-only'] };
    expect([...(await tableLives(store, tables))].sort()).toEqual(['a', 'ab', 'dataset-only']);
    const withVectors: string[] = [];
    for await (const life of vectorLives(store)) withVectors.push(life);
    expect(withVectors).toEqual(['a']);
    const lance = await LanceTableStore.open('/nonexistent/tailwater');
    expect([await lance.incarnations(), await new MemoryTableStore().incarnations()]).toEqual([[], []]);
  });

  test('goes without touching lives whose names begin alike, vectors up to a segment of every model', async () => {
    const store = await filled();
    expect(await deleteVectors(store, 'a', 7)).toEqual({ objects: 2, bytes: 10 });
    expect(await dropTable(store, new MemoryTableStore(), 'a')).toEqual({ objects: 2, bytes: 10 });
    expect(await keysIn(store)).toEqual(['pins/n/1', 'tables/ab/state/floor', 'vectors/a/m/00000000000000000009']);
  });
});
