import { describe, expect, test } from 'vitest';
import { COMPACTION_DEFAULTS, type CompactionContext, workOn } from '../../src/lakehouse/compact/settings.ts';
import { lacksTextIndex, upkeepDue } from '../../src/lakehouse/compact/upkeep.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { emptyState } from './compact-support.ts';
import { definitionOf } from './compact-world.ts';

const embed = { fields: ['text'], provider: 'hash', model: 'hash-v1', dimensions: 384 };
const BOTH = definitionOf({ search: { fields: ['text'] }, embed });
const NEITHER = definitionOf({});

function due(
  definition: typeof BOTH,
  rowCount: number,
  indexed: { text: number; vector: number },
  full = false,
  compactions = 0,
) {
  const state = emptyState({ n: 1, rowCount, indexedRows: indexed });
  return upkeepDue(definition, state, compactions, COMPACTION_DEFAULTS, full);
}

describe('what pays after a compaction', () => {
  test('the text index follows as soon as more than 2,000 rows and 0.5 % of the table lack it', () => {
    expect(due(BOTH, 2_000, { text: 0, vector: 0 }).textIndex).toBe(false);
    expect(due(BOTH, 2_001, { text: 0, vector: 0 }).textIndex).toBe(true);
    expect(due(BOTH, 1_000_000, { text: 995_000, vector: 0 }).textIndex).toBe(false);
    expect(due(BOTH, 1_000_000, { text: 994_999, vector: 0 }).textIndex).toBe(true);
  });

  test('a vector index waits until a flat scan is slower', () => {
    expect(due(BOTH, 49_999, { text: 0, vector: 0 }).vectorIndex).toBe(false);
    expect(due(BOTH, 49_999, { text: 0, vector: 0 }, true).vectorIndex).toBe(false);
    expect(due(BOTH, 50_000, { text: 0, vector: 0 }).vectorIndex).toBe(true);
    expect(due(BOTH, 60_000, { text: 0, vector: 50_000 }).vectorIndex).toBe(false);
    expect(due(BOTH, 60_001, { text: 0, vector: 50_000 }).vectorIndex).toBe(true);
  });

  test('full asks for whatever is not up to date, and for nothing that is', () => {
    expect(due(BOTH, 50_000, { text: 49_999, vector: 49_999 }, true, 1)).toEqual({
      fillVectors: false,
      textIndex: true,
      vectorIndex: true,
      compactFragments: true,
    });
    expect(due(BOTH, 50_000, { text: 50_000, vector: 50_000 }, true, 0)).toEqual({
      fillVectors: false,
      textIndex: false,
      vectorIndex: false,
      compactFragments: false,
    });
  });

  test('streams that are not searched get no index', () => {
    expect(due(NEITHER, 1_000_000, { text: 0, vector: 0 }, true)).toMatchObject({ textIndex: false, vectorIndex: false });
  });

  test('a stream may say itself when maintenance pays', () => {
    const eager = definitionOf({ search: { fields: ['text'] }, maintenance: { unindexedTextRows: 10 } });
    const state = emptyState({ n: 1, rowCount: 11 });
    expect(lacksTextIndex(eager, state)).toBe(true);
    expect(lacksTextIndex(BOTH, state)).toBe(false);
    const context = { store: new MemoryObjectStore(), settings: { compactionsPerOptimize: 5 } } as unknown as CompactionContext;
    expect(workOn(context, definitionOf({ maintenance: { compactionsPerOptimize: 2 } })).limits).toMatchObject({
      compactionsPerOptimize: 2,
      unindexedTextRows: COMPACTION_DEFAULTS.unindexedTextRows,
    });
    expect(workOn(context, NEITHER).limits.compactionsPerOptimize).toBe(5);
  });

  test('fragments are merged after every 16 compactions', () => {
    expect(due(NEITHER, 10, { text: 0, vector: 0 }, false, 15).compactFragments).toBe(false);
    expect(due(NEITHER, 10, { text: 0, vector: 0 }, false, 16).compactFragments).toBe(true);
  });
});
